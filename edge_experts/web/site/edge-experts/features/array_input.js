/** Conversion of users' arrays to numbers of the features' shape: `features/array_input.py`. */
import { UsageError } from "../errors.js";
import { LIMITS } from "../limits.js";

const COLOURS = [1, 2, 3, 4]; // channels of an image
const TYPES = new Map([
  [Uint8Array, "uint8"], [Uint8ClampedArray, "uint8"], [Int8Array, "int8"], [Uint16Array, "uint16"],
  [Int16Array, "int16"], [Uint32Array, "uint32"], [Int32Array, "int32"], [Float32Array, "float32"],
  [Float64Array, "float64"],
]);

/** Number of elements of a shape. */
export function sizeOf(shape) {
  return shape.reduce((product, axis) => product * axis, 1);
}

/**
 * Reads an example.
 *
 * @param {*} example Nested lists, whose nulls are gaps; a typed array of the shape's size; or an
 *   object {data, shape, dtype} with a typed array.
 * @param {boolean} booleans Accept true and false as numbers, because the training data had them.
 * @returns {{data: ArrayLike<number>, shape: number[], dtype: string, isWhole: boolean}}
 * @throws {UsageError} It is not an array, or contains anything but numbers.
 */
export function readNumbers(example, shape, { booleans }) {
  if (Array.isArray(example) || typeof example === "number") return ofLists(example, booleans);
  if (ArrayBuffer.isView(example)) return ofTyped({ data: example, shape }, true);
  if (example !== null && typeof example === "object") return ofTyped(example, false);
  throw refused(typeof example);
}

function ofTyped({ data, shape, dtype }, isBare) {
  const known = TYPES.get(data?.constructor);
  if (known === undefined || !Array.isArray(shape) || !shape.every((axis) => Number.isInteger(axis) && axis >= 0)) {
    throw refused("another object; give lists, a typed array, or {data, shape}");
  }
  if (sizeOf(shape) !== data.length) {
    const found = isBare ? `${data.length} numbers` : `data of ${data.length} numbers`;
    throw new UsageError(`x: an example must have the shape (${shape}), got ${found}`);
  }
  const type = dtype ?? known;
  return { data, shape, dtype: type, isWhole: /^(u?int\d+|bool)$/.test(type) };
}

function ofLists(example, booleans) {
  const shape = [];
  for (let level = example; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > LIMITS.tensor_rank) throw refused("");
  }
  if (sizeOf(shape) > LIMITS.example_numbers) throw refused("too many");
  const data = new Float64Array(sizeOf(shape));
  let filled = 0;
  let isWhole = true;
  const add = (value, depth) => {
    if (depth < shape.length) {
      if (!Array.isArray(value) || value.length !== shape[depth]) throw refused("");
      for (const each of value) add(each, depth + 1);
      return;
    }
    if (typeof value === "boolean" && !booleans) {
      throw new UsageError(
        "x: an example must be an array of numbers, got true or false; give 0 and 1, or the numbers that " +
          "training had",
      );
    }
    if (value !== null && typeof value !== "number" && typeof value !== "boolean") {
      throw refused(typeof value === "string" ? "texts" : "objects");
    }
    isWhole = isWhole && (typeof value === "boolean" || Number.isInteger(value));
    data[filled] = value === null ? NaN : Number(value);
    filled += 1;
  };
  add(example, 0);
  return { data, shape, dtype: isWhole ? "int64" : "float64", isWhole };
}

/**
 * Reshapes an array to the shape of an example, if that is unambiguous.
 *
 * Axes of length 1 may be added or removed. An image may have its channels first, and a grey one may
 * have three equal channels.
 *
 * @throws {UsageError} It has another shape; the message names the remedy.
 */
export function shaped(array, shape, { isImage, isPlain }) {
  const given = array.shape;
  if (String(given) === String(shape)) return array;
  if (!isPlain && String(withoutOnes(given)) === String(withoutOnes(shape))) return { ...array, shape };
  const inner = given[0] === 1 ? given.slice(1) : given;
  if (isImage && isChannelsFirst(inner, shape)) {
    const [height, width, channels] = shape;
    const from = (place) => {
      const channel = place % channels;
      return channel * height * width + (place - channel) / channels;
    };
    return { ...array, shape, data: Float64Array.from({ length: array.data.length }, (_, place) => array.data[from(place)]) };
  }
  if (isImage && isGreyInColours(array.data, inner, shape)) {
    return { ...array, shape, data: Float64Array.from({ length: sizeOf(shape) }, (_, place) => array.data[3 * place]) };
  }
  const remedy = isPlain ? "" : remedyFor(given, shape, isImage);
  throw new UsageError(`x: an example must have the shape (${shape}), got (${given})${remedy}`);
}

function isChannelsFirst(given, shape) {
  if (shape.length !== 3 || !COLOURS.includes(shape[2]) || Math.min(shape[0], shape[1]) <= shape[2]) return false;
  return String(given) === String([shape[2], shape[0], shape[1]]);
}

function isGreyInColours(data, inner, shape) {
  const isOfThree = inner.length === 3 && inner[2] === 3 && inner[0] === shape[0] && inner[1] === shape[1];
  if (!isOfThree || shape.length + (shape.at(-1) !== 1 ? 1 : 0) !== 3) return false;
  for (let place = 0; place < data.length; place += 3) {
    if (data[place] !== data[place + 1] || data[place] !== data[place + 2]) return false;
  }
  return true;
}

function remedyFor(given, shape, isImage) {
  if (String(given.slice(1)) === String(shape)) return `: these are ${given[0]} examples; give one at a time`;
  const sorted = (axes) => String([...axes].sort((one, other) => one - other));
  if (given.length === shape.length && shape.length > 1 && sorted(given) === sorted(shape)) return "; transpose it";
  if (sizeOf(given) === sizeOf(shape)) return "; reshape it";
  const isOtherColours = given[0] === shape[0] && given[1] === shape[1] && [2, 3].includes(given.length);
  if (isImage && isOtherColours) return "; training had images with another number of colours: convert it";
  return isImage && given.length === shape.length ? "; resize it" : "";
}

function withoutOnes(shape) {
  return shape.filter((size) => size !== 1);
}

function refused(found) {
  return new UsageError(
    `x: an example must be an array of numbers, all rows alike${found === "" ? "" : `, got ${found}`}`,
  );
}
