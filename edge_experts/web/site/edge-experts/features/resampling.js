/** Resampling by a ratio of whole numbers, the bits of Python's: `edge_experts/features/resampling.py`. */
import { cosine, rounded, sine } from "./exact_math.js";

const ZEROS = 16;
const EDGE = 9; // twentieths of the lower rate
const FINE = 2 ** 24;
const FINEST = 1000; // largest term of a ratio

/** Converts a stream of samples of 16 bits to another rate, block by block. */
export class Resampler {
  #filter;
  #kept;
  #fed = 0;
  #made = 0;

  /** @param {number} rate Samples a second; @param {number} wanted The same of what is made. */
  constructor(rate, wanted) {
    this.#filter = filterOf(rate, wanted);
    this.#kept = new Int16Array(this.#filter.reach - 1);
  }

  /** Converts the next samples, an Int16Array; returns those that can be made. */
  feed(samples) {
    const { up, down, length, columns } = this.#filter;
    if (up === down) return samples;
    this.#fed += samples.length;
    const kept = joined([this.#kept, samples]);
    const blocks = Math.max(0, Math.floor((kept.length - length) / down) + 1);
    const made = new Int16Array(blocks * up);
    for (let block = 0; block < blocks; block += 1) {
      for (let each = 0; each < up; each += 1) {
        const column = columns[each];
        let sum = 0;
        for (let place = 0; place < length; place += 1) sum += kept[block * down + place] * column[place];
        made[block * up + each] = Math.min(Math.max(rounded(sum / FINE), -32768), 32767);
      }
    }
    this.#kept = kept.slice(blocks * down);
    this.#made += made.length;
    return made;
  }

  /** Returns the samples up to the end of the stream. */
  finish() {
    const { up, down, length } = this.#filter;
    const missing = Math.max(0, Math.ceil((this.#fed * up) / down) - this.#made);
    return this.feed(new Int16Array(length + down)).slice(0, missing);
  }
}

/** Joins arrays of samples. */
export function joined(parts) {
  const found = new Int16Array(parts.reduce((count, part) => count + part.length, 0));
  let at = 0;
  for (const part of parts) {
    found.set(part, at);
    at += part.length;
  }
  return found;
}

/** Whole weights of the old samples for each of `up` new ones, which `down` old ones become. */
function filterOf(rate, wanted) {
  const [up, down] = ratio(rate, wanted);
  const zero = 10 * Math.max(up, down);
  const reach = Math.ceil((ZEROS * zero) / (up * EDGE));
  const length = down + 2 * reach - 1;
  const columns = Array.from({ length: up }, (_, column) => {
    const weights = Array.from({ length }, (_, row) => weightAt(((1 - reach + row) * up - column * down) * EDGE, zero));
    const total = weights.reduce((sum, weight) => sum + weight);
    return Float64Array.from(weights, (weight) => rounded((weight / total) * FINE));
  });
  return { up, down, reach, length, columns };
}

function weightAt(away, zero) {
  if (Math.abs(away) >= ZEROS * zero) return 0;
  const sinc = away === 0 ? 1 : (sine(away, 2 * zero) * zero) / (away * Math.PI);
  return sinc * ((1 + cosine(away, 2 * ZEROS * zero)) / 2);
}

function ratio(rate, wanted) {
  const common = divisor(rate, wanted);
  const [up, down] = [wanted / common, rate / common];
  if (Math.max(up, down) <= FINEST) return [up, down];
  return up > down ? nearest(down, up).reverse() : nearest(up, down);
}

function divisor(one, other) {
  return other === 0 ? one : divisor(other, one % other);
}

/** Nearest fraction whose denominator is at most `FINEST`: Python's Fraction.limit_denominator. */
function nearest(numerator, denominator) {
  let [p0, q0, p1, q1] = [0, 1, 1, 0];
  let [n, d] = [numerator, denominator];
  for (;;) {
    const whole = Math.floor(n / d);
    if (q0 + whole * q1 > FINEST) break;
    [p0, q0, p1, q1] = [p1, q1, p0 + whole * p1, q0 + whole * q1];
    [n, d] = [d, n - whole * d];
  }
  const steps = Math.floor((FINEST - q0) / q1);
  return 2 * d * (q0 + steps * q1) <= denominator ? [p1, q1] : [p0 + steps * p1, q0 + steps * q1];
}
