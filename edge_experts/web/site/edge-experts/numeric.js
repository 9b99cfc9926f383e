/** Arithmetic of answers in float32, as numpy does it. */

/** Computes exp(x / T) / sum(exp(x / T)), float32. */
export function softmax(logits, temperature = 1) {
  const largest = logits.reduce((one, other) => Math.max(one, other), -Infinity);
  const powers = Float32Array.from(logits, (logit) => Math.exp(Math.fround(logit - largest) / temperature));
  const total = Math.fround(powers.reduce((sum, power) => sum + power, 0));
  return powers.map((power) => power / total);
}

/** Computes 1 / (1 + exp(-x)), float32. */
export function sigmoid(logits) {
  return Float32Array.from(logits, (logit) => 1 / Math.fround(1 + Math.fround(Math.exp(-Math.min(Math.max(logit, -80), 80)))));
}

/** Index of the largest number, the first of equal ones; of NaN, if there is one. */
export function argmax(numbers) {
  let best = 0;
  for (let place = 1; place < numbers.length; place += 1) {
    if (Number.isNaN(numbers[best])) return best;
    if (numbers[place] > numbers[best] || Number.isNaN(numbers[place])) best = place;
  }
  return best;
}

/** Indices from the largest number to the smallest, equal ones in their order. */
export function ranked(numbers) {
  return Array.from(numbers, (_, place) => place).sort((one, other) => numbers[other] - numbers[one]);
}

/** Sums rows of numbers, each multiplied by its weight. */
export function weighted(weights, rows) {
  return Float32Array.from(rows[0], (_, place) =>
    rows.reduce((sum, row, index) => sum + weights[index] * row[place], 0),
  );
}

/** Computes the largest absolute difference; NaN where one is. */
export function apart(one, other) {
  return one.reduce((most, number, place) => Math.max(most, Math.abs(number - other[place])), 0);
}
