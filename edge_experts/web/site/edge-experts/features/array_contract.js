/** Contract of arrays: `edge_experts/features/array_contract.py` in JavaScript. */
import { UsageError } from "../errors.js";
import { general } from "../python_text.js";

const KINDS = ["image", "window", "table"];
const SCALES = [[127, 255], [32767, 65535]]; // least maximum and full scale of images
const ROUNDING = 1e-6; // of the scale: rounding error of float32
const TOLERANCE = 0.1; // of the range: overshoot of interpolation
const NEARBY = 1; // distance from the training range, in ranges, above which the user is warned
const FAR = 10; // distance above which the unit is considered different
const FAR_PIXEL = 4; // the same limit for one pixel
const FAINT = 4; // ratio to the faintest training example below which the scale is different

/** Statistics of the training data, and the conversions that they allow. */
export class ArrayContract {
  /** @throws {Error} The content is not such a contract. */
  constructor(content, shape) {
    const { rules, dtype, range, kind, whole, faintest, binary } = content ?? {};
    if (rules !== 1) throw new Error(`contract must have rules 1, got ${rules}; export with a newer edge-experts`);
    if (typeof dtype !== "string" || !KINDS.includes(kind) || typeof whole !== "boolean" || typeof binary !== "boolean") {
      throw new Error(`contract must have a dtype, a kind of ${KINDS.join(", ")}, whole and binary`);
    }
    const isRange = Array.isArray(range) && range.length === 2 && [...range, faintest].every(Number.isFinite);
    if (!isRange || range[0] > range[1] || faintest < 0) {
      throw new Error("contract must have a range that ascends, and the faintest");
    }
    const layout = kind === "image" ? (shape.length === 2 ? "HW" : "HWC") : shape.length === 1 ? "C" : "TC";
    if (content.layout !== layout) throw new Error(`contract must have the layout ${layout}`);
    Object.assign(this, { dtype, range, kind, whole, faintest, binary });
    this.fullScale = this.scale();
  }

  /** 1, 255 or 65535 if images are certainly on that scale; else null. */
  scale() {
    const [low, high] = this.range;
    if (this.kind !== "image" || low < 0) return null;
    if (high <= 1) return high > 1 / 2 ? 1 : null;
    return SCALES.find(([least, scale]) => least < high && high <= scale)?.[1] ?? null;
  }

  /**
   * Converts an image's numbers, float32, to the scale of the training data.
   *
   * @param {boolean} typedWhole True if their type is an integer type.
   * @throws {UsageError} The scale is ambiguous.
   */
  converted(array, typedWhole) {
    const isImage = this.kind === "image";
    if (!isImage && !this.whole) return array;
    const [low, high] = extremes(array);
    const scale = this.fullScale;
    if (scale === 1) return this.onUnitScale(array, low, high, typedWhole);
    const isFaint = Math.max(-low, high) < this.faintest / FAINT;
    const isUnit = scale !== null && low >= 0 && high > 0 && high <= 1;
    const isSigned = scale !== null && low < 0 && high - low < scale / 8;
    if ((isFaint || isUnit || isSigned) && !typedWhole) {
      const fractions = array.some((number) => Number.isFinite(number) && number !== Math.floor(number));
      const hasUnits = this.faintest <= 1;
      if (scale !== null && isUnit && fractions && (this.whole || !hasUnits)) return rescaled(array, scale);
      if (isUnit && !fractions && !hasUnits) {
        throw this.refused(low, high, "only 0 and 1", `give numbers from 0 to ${scale}`);
      }
      if (fractions && ((isFaint && this.whole) || isSigned)) {
        throw this.refused(low, high, "fractions", "undo the scaling");
      }
    }
    const [least, largest] = this.range;
    const room = scale === null ? (largest - least) * FAR_PIXEL : scale * TOLERANCE;
    if (isImage && room !== 0 && (low < least - room || high > (scale ?? largest) + room)) {
      throw this.refused(low, high, "outside the range", "scale them alike");
    }
    return array;
  }

  onUnitScale(array, low, high, typedWhole) {
    if (low >= -TOLERANCE && high <= 1 + TOLERANCE) {
      if (typedWhole && high === 1 && !this.binary) {
        throw this.refused(low, high, "whole", "divide bytes by 255, or write 1.0");
      }
      return array;
    }
    if (low >= 0 && SCALES[0][0] < high && high <= SCALES[0][1]) return array.map((number) => number / 255);
    throw this.refused(low, high, "outside the range", "divide by the largest possible value");
  }

  refused(low, high, found, remedy) {
    const [least, largest] = this.range;
    return new UsageError(
      `x: values from ${general(low)} to ${general(high)} (${found}) are not on the scale of training, which ` +
        `had ${this.whole ? "whole numbers" : "numbers"} from ${general(least)} to ${general(largest)} ` +
        `(${this.dtype}); ${remedy}`,
    );
  }
}

/**
 * Compares standardized numbers with the standardized ranges of the training data.
 *
 * @param {Float32Array} standard
 * @param {{low: Float32Array, high: Float32Array, shape: number[]}} ranges
 * @throws {UsageError} At least half of the numbers, or of one channel's, are in another unit.
 */
export function refuseOutside(standard, { low, high, shape }, warnings) {
  const distance = standard.map((number, place) => {
    const below = Math.fround(low[place] - number);
    const above = Math.fround(number - high[place]);
    const span = high[place] > low[place] ? Math.fround(high[place] - low[place]) : 1;
    return Math.max(below, above) / span; // NaN where one of them is
  });
  if (distance.every((each) => !(each > NEARBY))) return;
  const channels = shape.at(-1);
  const rows = standard.length / channels;
  const far = new Array(channels).fill(0);
  distance.forEach((each, place) => {
    if (each > FAR) far[place % channels] += 1;
  });
  const total = far.reduce((sum, each) => sum + each, 0);
  const isHalf = total / standard.length >= 1 / 2;
  const most = Math.max(...far);
  if (isHalf || (rows > 1 && most / rows >= 1 / 2)) {
    const where = isHalf ? "" : ` of channel ${far.indexOf(most)}`;
    throw new UsageError(
      `x: at least half of the values${where} are more than ${FAR} times the range of training outside of it; ` +
        "give them in the unit of the training data",
    );
  }
  if (warnings === null) return;
  const known = distance.map((each) => (Number.isNaN(each) ? -Infinity : each));
  const worst = known.indexOf(known.reduce((one, other) => Math.max(one, other)));
  let rest = worst;
  const place = [...shape].reverse().map((axis) => {
    const at = rest % axis;
    rest = Math.floor(rest / axis);
    return at;
  });
  warnings.push(
    `x: values far outside the range of training, as at [${place.reverse().join(", ")}]; the answer may be wrong`,
  );
}

/** Scales fractions from 0 to 1 up to `scale`; former integers become integers again. */
function rescaled(array, scale) {
  const scaled = array.map((number) => number * scale);
  const whole = scaled.map(even);
  const most = Math.fround(scale * ROUNDING);
  const wasWhole = scaled.every(
    (number, place) => !Number.isFinite(number) || Math.abs(Math.fround(number - whole[place])) <= most,
  );
  return wasWhole ? whole : scaled;
}

/** Rounds to the nearest whole number, halves to even ones. */
function even(number) {
  const floor = Math.floor(number);
  const rest = number - floor;
  if (rest !== 0.5) return Math.round(number);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Computes the smallest and largest finite number; 0 and 0 if there is none. */
function extremes(array) {
  let [low, high] = [Infinity, -Infinity];
  for (const number of array) {
    if (!Number.isFinite(number)) continue;
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return low <= high ? [low, high] : [0, 0];
}
