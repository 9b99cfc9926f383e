/** Regression: experts estimate one number or several (`runtime/tasks/regression.py`). */
import { ManifestError } from "../errors.js";
import { Reader } from "../manifest.js";
import { softmax, weighted } from "../numeric.js";
import { SCORE_TOLERANCE } from "./tolerance.js";

const LARGEST = (2 - 2 ** -23) * 2 ** 127; // in float32
const SMALLEST = 2 ** -126;

export class Regression {
  static type = "regression";
  labelsAre = "outputs";

  constructor(manifest, where) {
    if (manifest.abstainBelow !== null) {
      throw new ManifestError(`${where}: abstain_below must be null: regression never abstains`);
    }
    this.labels = manifest.labels;
    const reader = new Reader(manifest.taskConfig, `${where}: task_spec: config`);
    this.mean = numbers(reader, "mean", this.labels.length, -LARGEST);
    this.scale = numbers(reader, "scale", this.labels.length, SMALLEST);
  }

  /** Sums the outputs, or averages them weighted by the gate's probabilities. */
  mix(gate, outputs) {
    return weighted(gate === null ? outputs.map(() => 1) : softmax(gate), outputs);
  }

  answer(output) {
    const values = this.values(output);
    return {
      label: this.labels[0],
      score: output.reduce((sum, number) => sum + number, 0) / output.length,
      scores: Array.from(output),
      abstained: false,
      values: Object.fromEntries(this.labels.map((name, place) => [name, values[place]])),
    };
  }

  /** Converts standardized outputs to the data's units: outputs * scale + mean, float32. */
  values(outputs) {
    return Float32Array.from(outputs, (output, place) => Math.fround(output * this.scale[place]) + this.mean[place]);
  }

  /** Compares the expert and each value, in the output's scale. */
  difference(answer, { scores, expert, row }) {
    const wanted = row("values");
    const promised = this.values(scores);
    const found = this.values(Float32Array.from(answer.scores));
    const place = found.findIndex((value, index) => {
      const rounding = 1e-6 * (Math.abs(this.mean[index]) + Math.abs(scores[index] * this.scale[index]));
      const off = Math.abs(promised[index] - wanted[index]);
      const apart = Math.abs(value - wanted[index]);
      return !(off <= rounding && apart <= SCORE_TOLERANCE * this.scale[index] + rounding);
    });
    if (answer.expert === expert && place < 0) return null;
    const index = Math.max(place, 0);
    return (
      `${this.labels[index]} ${found[index]} from expert ${answer.expert}, ${wanted[index]} from expert ` +
      `${expert} was expected`
    );
  }
}

function numbers(reader, key, count, least) {
  return Float32Array.from(reader.items(key, count, count), (number) => {
    if (typeof number !== "number" || !(number >= least && number <= LARGEST)) {
      throw reader.error(key, `must be numbers from ${least.toPrecision(3)} to ${LARGEST.toPrecision(3)}`);
    }
    return number;
  });
}
