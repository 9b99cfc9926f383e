/** Loop of an answer: encode, route, run experts, combine (`runtime/tasks/routed_once.py`). */
import { ModelError, isUnavailable } from "./errors.js";
import { argmax, ranked } from "./numeric.js";

/** Answers inputs of one bundle, one at a time. */
export class RoutedOnce {
  /**
   * @param {object} parts manifest, features, task, router (a Model or null), experts (a Residency)
   *   and strict.
   */
  constructor(parts) {
    Object.assign(this, parts);
    const { experts, topK, secondBelow, router } = this.manifest;
    this.all = experts.map((_, index) => index);
    this.runsOne = router !== null && topK === 1 && secondBelow === null;
    this.most = secondBelow === null ? topK : 2;
  }

  /** Answers an example. */
  async run(example) {
    const clock = [performance.now()];
    const warnings = [];
    const arrays = this.features.encode(example, warnings);
    clock.push(performance.now());
    const gate = await this.route(arrays);
    const question = new Question(gate, this.picks(gate));
    clock.push(performance.now());
    await this.ask(question, arrays);
    const { picks, reason } = question;
    const micro = (milliseconds) => Math.round(milliseconds * 1e4) / 10;
    return {
      ...this.task.answer(this.combined(question)),
      expert: gate === null && picks.length > 1 ? -1 : picks[0],
      experts: picks,
      degraded: reason !== null,
      reason,
      warnings: [...new Set(warnings)],
      timings: {
        features_us: micro(clock[1] - clock[0]),
        route_us: micro(clock[2] - clock[1]),
        load_us: micro(question.load),
        invoke_us: micro(question.invoke),
      },
    };
  }

  /** Returns the router's logits; adds its second output, if any, to the experts' inputs. */
  async route(arrays) {
    if (this.router === null) return null;
    const [gate, trunk] = await this.router.run(arrays);
    if (trunk !== undefined) arrays.trunk = trunk;
    return gate;
  }

  picks(gate) {
    if (gate === null) return this.all;
    const first = argmax(gate);
    const { secondBelow } = this.manifest;
    if (this.all.length === 1 || this.runsOne) return [first];
    if (secondBelow !== null && firstProbability(gate, first) >= secondBelow) return [first];
    return ranked(gate).slice(0, this.most);
  }

  /** Runs the experts that were picked, those in memory first; falls back to next choices. */
  async ask(question, arrays) {
    const waiting = [...question.picks];
    while (waiting.length > 0) {
      const resident = waiting.findIndex((index) => this.experts.has(index));
      const [expert] = waiting.splice(Math.max(resident, 0), 1);
      try {
        await this.askOne(question, expert, arrays);
      } catch (error) {
        if (this.strict || !isUnavailable(error)) throw error;
        const other = question.instead(expert, error);
        if (other !== null) waiting.push(other);
      }
    }
  }

  async askOne(question, expert, arrays) {
    const start = performance.now();
    const model = await this.experts.hold(expert);
    const loaded = performance.now();
    question.load += loaded - start;
    try {
      question.outputs.set(expert, (await model.run(arrays))[0]);
    } catch (error) {
      if (error instanceof ModelError) this.experts.reject(expert, error);
      throw error;
    }
    question.invoke += performance.now() - loaded;
  }

  combined({ gate, picks, outputs }) {
    const rows = picks.map((pick) => outputs.get(pick));
    if (rows.length === 1) return rows[0];
    return this.task.mix(gate === null ? null : Float32Array.from(picks, (pick) => gate[pick]), rows);
  }
}

/** A routed input, and the experts that are to answer it. */
class Question {
  constructor(gate, picks) {
    this.gate = gate;
    this.picks = picks;
    this.outputs = new Map();
    this.tried = new Set(picks);
    this.reason = null;
    this.load = 0;
    this.invoke = 0;
  }

  /**
   * Returns the router's next choice for an expert that cannot be used; null if none is left, where
   * the remaining picks answer.
   *
   * @throws The error: no expert can answer, or all are needed.
   */
  instead(expert, error) {
    this.reason ??= `expert ${expert}: ${error.message}`;
    const order = this.gate === null ? [] : ranked(this.gate).filter((index) => this.gate[index] > -Infinity);
    const other = order.find((index) => !this.tried.has(index)) ?? null;
    if (other !== null) this.tried.add(other);
    const asked = new Set([...this.picks, other].filter((index) => index !== null && index !== expert));
    if (this.gate === null || asked.size === 0) throw error;
    this.picks = order.filter((index) => asked.has(index));
    return other;
  }
}

/** Computes softmax(logits)[first] of the largest logit. */
function firstProbability(logits, first) {
  return 1 / logits.reduce((sum, logit) => sum + Math.exp(logit - logits[first]), 0);
}
