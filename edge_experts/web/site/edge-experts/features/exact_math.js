/** Sine and logarithm of single operations, the bits of Python's: `edge_experts/features/exact_math.py`. */

const SINE = Array.from({ length: 9 }, (_, n) => (-1) ** n / factorial(2 * n + 1));
const COSINE = Array.from({ length: 9 }, (_, n) => (-1) ** n / factorial(2 * n));
const ATANH = Array.from({ length: 11 }, (_, n) => 1 / (2 * n + 1));
const LN2 = 0.6931471805599453;
const ROOT = 0.7071067811865476;

/** sin(2 pi step / circle) of a whole number. */
export function sine(step, circle) {
  const place = (((step % circle) + circle) % circle) * 8;
  const octant = Math.floor(place / circle);
  const rest = place % circle;
  const angle = ((octant % 2 === 1 ? circle - rest : rest) * (3.141592653589793 / 4)) / circle;
  const square = angle * angle;
  const isCosine = octant % 4 === 1 || octant % 4 === 2;
  const found = isCosine ? polynomial(COSINE, square) : angle * polynomial(SINE, square);
  return octant >= 4 ? -found : found;
}

/** cos(2 pi step / circle) of a whole number. */
export function cosine(step, circle) {
  return sine(4 * step + circle, 4 * circle);
}

/** Natural logarithm of a positive normal number. */
export function logarithm(value) {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const high = bits.getUint32(0);
  let exponent = ((high >>> 20) & 0x7ff) - 1022;
  bits.setUint32(0, ((high & 0x800fffff) | (1022 << 20)) >>> 0);
  let mantissa = bits.getFloat64(0); // from 1/2 to 1
  if (mantissa < ROOT) {
    mantissa *= 2;
    exponent -= 1;
  }
  const ratio = (mantissa - 1) / (mantissa + 1);
  return 2 * ratio * polynomial(ATANH, ratio * ratio) + exponent * LN2;
}

/** The nearest whole number, of two equally near ones the even one. */
export function rounded(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}

function polynomial(coefficients, at) {
  return coefficients.reduceRight((found, coefficient) => found * at + coefficient);
}

function factorial(number) {
  return number < 2 ? 1 : number * factorial(number - 1);
}
