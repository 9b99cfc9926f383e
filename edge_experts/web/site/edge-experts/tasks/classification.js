/** Classification: experts choose one of the bundle's labels (`runtime/tasks/classification.py`). */
import { apart, argmax, softmax, weighted } from "../numeric.js";
import { SCORE_TOLERANCE } from "./tolerance.js";

const TINY = 1e-12; // lower bound for probabilities before their logarithm

export class Classification {
  static type = "classification";
  labelsAre = "labels";

  constructor(manifest) {
    this.labels = manifest.labels;
    this.temperature = manifest.temperature;
    this.abstainBelow = manifest.abstainBelow;
  }

  /** Sums logits, or mixes the experts' probabilities by the gate's and returns logits. */
  mix(gate, outputs) {
    if (gate === null) return weighted(outputs.map(() => 1), outputs);
    const mixture = weighted(softmax(gate), outputs.map((output) => softmax(output)));
    return mixture.map((probability) => Math.log(Math.max(probability, TINY)));
  }

  /** Returns what an answer has beside its experts and timings. */
  answer(output) {
    const scores = softmax(output, this.temperature);
    const score = scores[argmax(scores)];
    return {
      label: this.labels[argmax(output)],
      score,
      scores: Array.from(scores),
      abstained: this.abstainBelow !== null && score < this.abstainBelow,
    };
  }

  /** Describes how an answer differs from the published one; null if it is the same. */
  difference(answer, { scores, expert }) {
    const label = this.labels[argmax(scores)];
    const most = apart(answer.scores, scores);
    if (answer.expert === expert && answer.label === label && most <= SCORE_TOLERANCE) return null;
    return (
      `'${answer.label}' from expert ${answer.expert}, '${label}' from expert ${expert} was expected (scores ` +
      `differ by up to ${most.toFixed(3)})`
    );
  }
}
