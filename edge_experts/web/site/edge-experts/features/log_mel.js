/** Log-mel spectra of sound, the bits of Python's: `edge_experts/features/log_mel.py`. */
import { LIMITS } from "../limits.js";
import { cosine, logarithm, rounded, sine } from "./exact_math.js";

export const GRID = 256; // values are multiples of 1 / GRID
const FINE = 2 ** 26;
const MOST_FRAME = 2 ** 11;
const NAMES = ["rate", "samples", "frame", "hop", "bands", "low", "high"];

/** Settings and tables of the spectra of a window of sound. */
export class LogMel {
  #transform = null;

  /** @throws {Error} The settings are not those of Python's LogMel. */
  constructor(settings) {
    const isKnown = settings !== null && typeof settings === "object" && Object.keys(settings).length === NAMES.length;
    if (!isKnown || !NAMES.every((name) => Number.isInteger(settings[name]) && settings[name] >= 0)) {
      throw new Error(`log_mel must have whole numbers ${NAMES.join(", ")}`);
    }
    Object.assign(this, settings);
    const { rate, samples, frame, hop, bands, low, high } = this;
    const fits =
      rate >= 1000 && rate <= LIMITS.sound_rate && frame % 4 === 0 && frame >= 4 && frame <= MOST_FRAME &&
      samples >= frame && samples <= LIMITS.sound_window && hop >= 1 && hop <= samples && bands >= 1 &&
      bands <= frame / 2 && low < high && high <= Math.floor(rate / 2);
    if (!fits) throw new Error("log_mel must have numbers within their ranges");
    this.shape = [1 + Math.floor((samples - frame) / hop), bands];
    if (this.shape[0] * bands > LIMITS.example_numbers) throw new Error("log_mel has too many values");
  }

  /** Computes the spectra of a window, `samples` whole numbers of 16 bits; times 256. */
  apply(samples) {
    this.#transform ??= new Transform(this);
    const [frames, bands] = this.shape;
    const found = new Int16Array(frames * bands);
    for (let frame = 0; frame < frames; frame += 1) {
      const start = frame * this.hop;
      found.set(this.#transform.bands(samples.subarray(start, start + this.frame)), frame * bands);
    }
    return found;
  }
}

/** Matrices of a transform; those of cosine and sine have whole numbers, whose sums are exact. */
class Transform {
  constructor({ rate, frame, bands, low, high }) {
    this.half = frame / 2;
    const count = this.half + 1; // of bins
    this.cosine = new Float64Array(this.half * count);
    this.sine = new Float64Array(this.half * count);
    for (let place = 1; place <= this.half; place += 1) {
      const window = (1 - cosine(place, frame)) / 2;
      for (let bin = 0; bin < count; bin += 1) {
        const at = (place - 1) * count + bin;
        this.cosine[at] = rounded(window * cosine(place * bin, frame) * FINE);
        if (place < this.half) this.sine[at] = rounded(window * sine(place * bin, frame) * FINE);
      }
    }
    this.triangles = triangles(rate, frame, bands, low, high);
  }

  /** The logarithms of the power in each band, times 256, of one frame. */
  bands(samples) {
    const power = this.power(samples);
    return this.triangles.map(({ start, weights }) => {
      const total = weights.reduce((sum, weight, place) => sum + power[start + place] * weight, 0);
      return rounded(logarithm(total + 1) * GRID);
    });
  }

  power(samples) {
    const { half } = this;
    const count = half + 1;
    const real = new Float64Array(count);
    const imaginary = new Float64Array(count);
    for (let place = 1; place <= half; place += 1) {
      const last = place === half ? 0 : samples[2 * half - place];
      const sum = samples[place] + last;
      const difference = samples[place] - last;
      const row = (place - 1) * count;
      for (let bin = 0; bin < count; bin += 1) {
        real[bin] += sum * this.cosine[row + bin];
        imaginary[bin] += difference * this.sine[row + bin];
      }
    }
    return real.map((number, bin) => {
      const [one, other] = [number / FINE, imaginary[bin] / FINE];
      return one * one + other * other; // not **, whose rounding no standard defines
    });
  }
}

/** Bands that are triangles in mel, of height 1 and equal widths: the first bin, and weights. */
function triangles(rate, frame, bands, low, high) {
  const [begin, end] = [low, high].map((hertz) => logarithm(1 + hertz / 700));
  const corners = Array.from({ length: bands + 2 }, (_, place) => begin + place * ((end - begin) / (bands + 1)));
  const bins = Array.from({ length: frame / 2 + 1 }, (_, bin) => logarithm(1 + (bin * rate) / frame / 700));
  const every = Array.from({ length: bands }, (_, band) =>
    bins.map((at, bin) => {
      const rising = (at - corners[band]) / (corners[band + 1] - corners[band]);
      const falling = (corners[band + 2] - at) / (corners[band + 2] - corners[band + 1]);
      return bin === 0 ? 0 : Math.max(0, Math.min(rising, falling));
    }),
  );
  const counts = every.map((weights) => weights.filter((weight) => weight > 0).length);
  const width = Math.max(1, ...counts);
  return every.map((weights) => {
    const first = Math.max(0, weights.findIndex((weight) => weight > 0));
    const start = Math.min(first, bins.length - width);
    return { start, weights: weights.slice(start, start + width) };
  });
}
