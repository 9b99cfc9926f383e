/** Multi-label classification: any number of labels, or none (`runtime/tasks/multi_label.py`). */
import { ManifestError } from "../errors.js";
import { Reader } from "../manifest.js";
import { apart, argmax, ranked, sigmoid, softmax, weighted } from "../numeric.js";
import { SCORE_TOLERANCE } from "./tolerance.js";

const TINY = 1e-7; // lower bound for probabilities, and of their distance to 1, before their logarithm

export class MultiLabel {
  static type = "multi-label";
  labelsAre = "labels";

  constructor(manifest, where) {
    if (manifest.abstainBelow !== null) {
      throw new ManifestError(`${where}: abstain_below must be null: each label has a threshold`);
    }
    this.labels = manifest.labels;
    const reader = new Reader(manifest.taskConfig, `${where}: task_spec: config`);
    const count = this.labels.length;
    this.thresholds = Float32Array.from(reader.items("thresholds", count, count), (number) => {
      if (typeof number !== "number" || !(number >= 0 && number <= 1)) {
        throw reader.error("thresholds", "must be numbers from 0 to 1");
      }
      return number;
    });
  }

  /** Sums logits, or mixes the experts' probabilities by the gate's and returns logits. */
  mix(gate, outputs) {
    if (gate === null) return weighted(outputs.map(() => 1), outputs);
    const mixed = weighted(softmax(gate), outputs.map(sigmoid));
    return mixed.map((probability) => {
      const inside = Math.min(Math.max(probability, TINY), 1 - TINY);
      return Math.log(inside) - Math.log1p(-inside);
    });
  }

  /** Returns what an answer has beside its experts and timings. */
  answer(output) {
    const scores = sigmoid(output);
    const best = argmax(output);
    const places = ranked(scores).filter((place) => this.isAnswered(scores, place));
    return {
      label: this.labels[best],
      score: scores[argmax(scores)],
      scores: Array.from(scores),
      abstained: false,
      labels: places.map((place) => this.labels[place]),
      thresholds: Array.from(this.thresholds),
    };
  }

  isAnswered(scores, place) {
    return scores[place] >= this.thresholds[place];
  }

  /** Compares the expert, all probabilities, and the labels by the published ones. */
  difference(answer, { scores, expert, row }) {
    const present = row("present");
    const most = apart(answer.scores, scores);
    const same = present.every((isPresent, place) => Boolean(isPresent) === this.isAnswered(scores, place));
    if (answer.expert === expert && same && most <= SCORE_TOLERANCE) return null;
    const found = this.text((place) => this.isAnswered(answer.scores, place));
    return (
      `${found} from expert ${answer.expert}, ${this.text((place) => present[place])} from expert ${expert} was ` +
      `expected (probabilities differ by up to ${most.toFixed(3)})`
    );
  }

  text(isPresent) {
    return this.labels.filter((_, place) => isPresent(place)).join(";") || "(no label)";
  }
}
