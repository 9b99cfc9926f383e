/** Golden examples: inputs with the answers that a bundle was published with (`runtime/golden.py`). */
import { BundleError, GoldenError, UsageError } from "./errors.js";
import { LIMITS } from "./limits.js";
import { sizeOf } from "./features/array_input.js";

const FEATURE_TOLERANCE = 1e-5;
const RELATIVE = 1e-5;

/**
 * Answers the golden examples and compares features and answers.
 *
 * @param {Map} arrays The arrays of golden.npz.
 * @param {RoutedOnce} loop
 * @returns {Promise<number>} The number of examples.
 * @throws {BundleError} They are not golden examples of this bundle.
 * @throws {GoldenError} Features or answers differ in this browser.
 */
export async function checkGolden(arrays, loop, where) {
  const { features, task } = loop;
  const inputs = unpacked(arrays, features, where);
  const count = inputs.length;
  const rowOf = (name, size, index) => arrays.get(name).data.subarray(index * size, (index + 1) * size);
  const expected = { scores: [count, task.labels.length], experts: [count] };
  for (const [name, { shape }] of Object.entries(features.shapes)) {
    expected[`features_${name}`] = [count, ...shape.slice(1)];
  }
  for (const [name, shape] of Object.entries(expected)) {
    if (count === 0 || count > LIMITS.golden_examples || String(arrays.get(name)?.shape) !== String(shape)) {
      throw new BundleError(
        `${where}: must hold 1 to ${LIMITS.golden_examples} examples, and as many scores, experts and arrays ` +
          "of features",
      );
    }
  }
  for (const [index, example] of inputs.entries()) {
    for (const [name, made] of Object.entries(encoded(features, example, index, where))) {
      const wanted = rowOf(`features_${name}`, sizeOf(features.shapes[name].shape), index);
      if (!made.every((number, place) => isClose(number, wanted[place]))) {
        throw new GoldenError(
          `${where}: golden example ${index}: its features (${name}) are not those of the machine that made ` +
            "the bundle; export with the edge-experts version that converted it",
        );
      }
    }
    const answer = await loop.run(example);
    if (answer.degraded) throw new GoldenError(`${where}: golden example ${index}: ${answer.reason}`);
    const difference = task.difference(answer, {
      scores: rowOf("scores", task.labels.length, index),
      expert: arrays.get("experts").data[index],
      row: (name) => ofTask(arrays, name, count, task, index, where),
    });
    if (difference !== null) {
      throw new GoldenError(`${where}: golden example ${index}: ${difference}; do not use this bundle here`);
    }
  }
  return count;
}

function unpacked(arrays, features, where) {
  try {
    const inputs = features.unpack(arrays.get("inputs"));
    if (Array.isArray(inputs)) return inputs;
  } catch {
    // Refused below, like anything else that is not a list.
  }
  throw new BundleError(`${where}: not golden examples of these features`);
}

function encoded(features, example, index, where) {
  try {
    return features.encode(example);
  } catch (error) {
    if (error instanceof UsageError) throw new GoldenError(`${where}: golden example ${index}: ${error.message}`);
    throw error;
  }
}

function ofTask(arrays, name, count, task, index, where) {
  const found = arrays.get(name);
  const size = task.labels.length;
  if (String(found?.shape) !== String([count, size])) {
    throw new BundleError(`${where}: must hold the ${name} of each of its examples`);
  }
  return found.data.subarray(index * size, (index + 1) * size);
}

function isClose(number, wanted) {
  return Math.abs(number - wanted) <= FEATURE_TOLERANCE + RELATIVE * Math.abs(wanted);
}
