/** Images, sensor windows and other arrays of one shape: `edge_experts/features/array.py`. */
import { LIMITS } from "../limits.js";
import { ArrayContract, refuseOutside } from "./array_contract.js";
import { readNumbers, shaped, sizeOf } from "./array_input.js";
import { SensorStream } from "./sensor_stream.js";

/** Conversion of an array to `x`, (1, *shape) float32: (example - mean) / deviation. */
export class ArrayFeatures {
  static kind = "array";

  /**
   * @param {object} settings Shape and contract, as in the manifest.
   * @param {Map} arrays The arrays of features.npz.
   * @throws {Error} They do not fit.
   */
  constructor(settings, arrays) {
    const { shape } = settings;
    if (!Array.isArray(shape) || shape.length < 1 || shape.length >= LIMITS.tensor_rank) {
      throw new Error(`shape must have 1 to ${LIMITS.tensor_rank - 1} axes`);
    }
    const size = sizeOf(shape);
    if (!shape.every((axis) => Number.isInteger(axis) && axis > 0) || size > LIMITS.example_numbers) {
      throw new Error(`shape must be of 1 to ${LIMITS.example_numbers} numbers`);
    }
    this.shape = shape;
    this.mean = spread(arrays.get("mean"), shape, "mean");
    this.deviation = spread(arrays.get("deviation"), shape, "deviation");
    if (![this.mean, this.deviation].every((each) => each.every(Number.isFinite))) {
      throw new Error("mean and deviation must be finite");
    }
    if (!this.deviation.every((each) => each > 0)) throw new Error("deviation must be above 0");
    this.contract = settings.contract === undefined ? null : new ArrayContract(settings.contract, shape);
    if (this.contract !== null) this.ranges(arrays);
    this.stream = settings.stream === undefined ? null : new SensorStream(settings.stream, shape);
  }

  /** Reads the standardized ranges of the training data; NaN where it had no numbers. */
  ranges(arrays) {
    const standard = ["low", "high"].map((name) => {
      const numbers = spread(arrays.get(name), this.shape, name);
      return numbers.map((number, place) => this.standard(number, place));
    });
    [this.low, this.high] = standard;
    const span = this.low.map((low, place) => {
      const width = Math.fround(this.high[place] - low);
      return width > 0 ? width : 1;
    });
    this.nearLow = this.low.map((low, place) => low - span[place]);
    this.nearHigh = this.high.map((high, place) => high + span[place]);
  }

  standard(number, place) {
    return Math.fround(number - this.mean[place]) / this.deviation[place];
  }

  get shapes() {
    return { x: { shape: [1, ...this.shape], type: "float32" } };
  }

  get description() {
    const { stream } = this;
    const cut = stream === null ? {} : { stream: { ...stream } };
    return { kind: this.contract?.kind ?? "array", shape: this.shape, range: this.contract?.range ?? null, ...cut };
  }

  unpack(packed) {
    const [count, ...shape] = packed.shape;
    const size = sizeOf(shape);
    return Array.from({ length: count }, (_, row) => ({
      shape,
      data: packed.data.slice(row * size, (row + 1) * size),
      dtype: packed.dtype,
    }));
  }

  /**
   * Standardizes an example: nested lists, a typed array, or {data, shape} with a typed array.
   *
   * @throws {UsageError} It has another shape, contains anything but numbers, or is on another scale
   *   than the training examples.
   */
  encode(example, warnings = null) {
    const { contract } = this;
    const read = readNumbers(example, this.shape, { booleans: contract === null || contract.dtype === "bool" });
    const array = shaped(read, this.shape, { isImage: contract?.kind === "image", isPlain: contract === null });
    let numbers = Float32Array.from(array.data);
    const isByte = contract?.dtype === "uint8" && contract.fullScale === 255 && read.dtype === "uint8";
    if (contract !== null && !isByte) numbers = contract.converted(numbers, read.isWhole);
    const x = numbers.map((number, place) => this.standard(number, place));
    if (contract !== null && contract.fullScale === null) this.judge(x, warnings);
    return { x: x.map((number) => (Number.isFinite(number) ? number : 0)) };
  }

  judge(x, warnings) {
    const isNear = x.every((number, place) => number >= this.nearLow[place] && number <= this.nearHigh[place]);
    if (!isNear) refuseOutside(x, this, warnings);
  }
}

/** Broadcasts an array to the examples' shape, float32. */
function spread(array, shape, name) {
  if (array === undefined) throw new Error(`${name} is missing`);
  const given = [...new Array(Math.max(0, shape.length - array.shape.length)).fill(1), ...array.shape];
  const fits = given.length === shape.length && given.every((axis, place) => axis === 1 || axis === shape[place]);
  if (!fits) throw new Error(`${name} must fit the shape (${shape})`);
  return Float32Array.from({ length: sizeOf(shape) }, (_, index) => {
    let [rest, from, stride] = [index, 0, 1];
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      const at = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
      if (given[axis] !== 1) from += at * stride;
      stride *= given[axis];
    }
    return array.data[from];
  });
}
