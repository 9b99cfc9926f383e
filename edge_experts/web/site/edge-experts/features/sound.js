/** Sound of any length and rate: `edge_experts/features/sound.py`. */
import { UsageError } from "../errors.js";
import { ArrayFeatures } from "./array.js";
import { readNumbers } from "./array_input.js";
import { GRID, LogMel } from "./log_mel.js";
import { Resampler, joined } from "./resampling.js";
import { decodeWav } from "./wav_files.js";

const [LOW, HIGH] = [-32768, 32767];
const CONTRACT = { rules: 1, dtype: "int16", range: [LOW, HIGH] };

/** Conversion of sound to `x`, (1, frames, bands) float32. */
export class SoundFeatures extends ArrayFeatures {
  static kind = "sound";

  /**
   * @param {object} settings Those of LogMel, shape and contract, as in the manifest.
   * @param {Map} arrays The arrays of features.npz.
   * @throws {Error} They do not fit.
   */
  constructor({ log_mel, shape, contract }, arrays) {
    const logMel = new LogMel(log_mel);
    super({ shape: logMel.shape }, arrays);
    if (String(shape) !== String(logMel.shape)) throw new Error(`shape must be ${logMel.shape}`);
    if (!isContract(contract)) throw new Error(`contract must be ${JSON.stringify(CONTRACT)}`);
    this.logMel = logMel;
  }

  get description() {
    const { rate, samples } = this.logMel;
    return { kind: "sound", rate, samples, seconds: samples / rate };
  }

  /**
   * Computes and standardizes the spectrum of one window.
   *
   * @param {*} example An ArrayBuffer, the bytes of a WAV file; or samples at the rate of the
   *   bundle, whole numbers of 16 bits: an Int16Array or a list.
   * @throws {UsageError} It is neither.
   */
  encode(example, warnings = null) {
    const window = this.window(example);
    if (warnings !== null && window.every((sample) => sample === window[0])) {
      warnings.push("the sound is silent: all its samples are equal");
    }
    const steps = this.logMel.apply(window);
    return { x: Float32Array.from(steps, (step, place) => this.standard(step / GRID, place)) };
  }

  /** The window of a sound that is used: the loudest, or all of a shorter one amid silence. */
  window(example) {
    const samples = this.samples(example);
    const { samples: length, hop } = this.logMel;
    const missing = length - samples.length;
    if (missing >= 0) return joined([new Int16Array(Math.floor(missing / 2)), samples, new Int16Array(Math.ceil(missing / 2))]);
    const energyOf = (from, to) => samples.subarray(from, to).reduce((sum, sample) => sum + sample * sample, 0);
    let energy = energyOf(0, length);
    let [most, start] = [energy, 0];
    for (let next = hop; next <= -missing; next += hop) {
      energy += energyOf(next - hop + length, next + length) - energyOf(next - hop, next);
      if (energy > most) [most, start] = [energy, next];
    }
    return samples.slice(start, start + length);
  }

  /** Converts all samples of a sound, an Int16Array, to the rate of the features. */
  resampled(samples, rate) {
    const resampler = new Resampler(rate, this.logMel.rate);
    return joined([resampler.feed(samples), resampler.finish()]);
  }

  samples(example) {
    if (example instanceof ArrayBuffer) {
      const { samples, rate } = decodeWav(example);
      return this.resampled(samples, rate);
    }
    const bare = ArrayBuffer.isView(example) ? [example.length] : null;
    const array = readNumbers(example, bare, { booleans: false });
    const shape = array.shape.length === 2 && array.shape.includes(1) ? [array.data.length] : array.shape;
    if (shape.length !== 1 || array.data.length === 0) {
      throw new UsageError(
        `x: a sound must have the shape (samples), got (${array.shape}); give the mean of its channels`,
      );
    }
    if (!array.data.every((number) => Number.isInteger(number) && number >= LOW && number <= HIGH)) {
      throw new UsageError(
        `x: samples must be whole numbers from ${LOW} to ${HIGH}, at ${this.logMel.rate} a second; multiply ` +
          "floats from -1 to 1 by 32768",
      );
    }
    return Int16Array.from(array.data);
  }
}

function isContract(given) {
  const { rules, dtype, range, ...more } = given ?? {};
  return rules === 1 && dtype === "int16" && String(range) === String(CONTRACT.range) && Object.keys(more).length === 0;
}
