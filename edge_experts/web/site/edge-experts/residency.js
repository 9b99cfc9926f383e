/** Experts in memory, under a budget: the least recently used one is evicted first. */
import { MemoryBudgetError, isUnavailable } from "./errors.js";

export class Residency {
  /**
   * @param {object} options
   * @param {number[]} options.costs Bytes that each expert takes.
   * @param {number} options.beside Bytes of what stays in memory: the router.
   * @param {number|null} options.budget Bytes for all together; null for no limit.
   * @param {boolean} options.allMustFit True if a missing expert is an error.
   * @param {number} options.retryAfter Milliseconds until an expert that failed is tried again.
   * @param {function(number): Promise<object>} options.load
   * @throws {MemoryBudgetError} No expert fits, or one that must.
   */
  constructor({ costs, beside, budget, allMustFit, retryAfter, load }) {
    Object.assign(this, { costs, beside, budget, retryAfter, load });
    this.models = new Map();
    this.failed = new Map();
    this.loads = 0;
    this.evictions = 0;
    const large = costs.map((_, index) => index).filter((index) => costs[index] > this.room());
    if (large.length > 0 && (allMustFit || large.length === costs.length)) {
      const by = (one, other) => costs[one] - costs[other];
      throw this.refusal(allMustFit ? large.sort(by).at(-1) : large.sort(by)[0]);
    }
    for (const index of large) this.failed.set(index, { error: this.refusal(index), until: Infinity });
  }

  room() {
    return this.budget === null ? Infinity : this.budget - this.beside;
  }

  used() {
    return [...this.models.keys()].reduce((total, index) => total + this.costs[index], 0);
  }

  has(index) {
    return this.models.has(index);
  }

  /** Returns an expert; loads it if it is not in memory. */
  async hold(index) {
    const failure = this.failed.get(index);
    if (failure !== undefined && performance.now() < failure.until) throw failure.error;
    let model = this.models.get(index);
    if (model === undefined) {
      for (const oldest of this.models.keys()) {
        if (this.used() + this.costs[index] <= this.room()) break;
        this.evict(oldest);
        this.evictions += 1;
      }
      try {
        model = await this.load(index);
      } catch (error) {
        if (isUnavailable(error)) this.quarantine(index, error);
        throw error;
      }
      this.loads += 1;
    }
    this.failed.delete(index);
    this.models.delete(index);
    this.models.set(index, model); // the most recently used one is the last
    return model;
  }

  /** Refuses, for a while, an expert that failed on an input. */
  reject(index, error) {
    this.evict(index);
    this.quarantine(index, error);
  }

  release() {
    for (const index of [...this.models.keys()]) this.evict(index);
  }

  quarantine(index, error) {
    this.failed.set(index, { error, until: performance.now() + this.retryAfter });
  }

  evict(index) {
    this.models.get(index)?.delete();
    this.models.delete(index);
  }

  refusal(index) {
    const least = this.beside + this.costs[index];
    return new MemoryBudgetError(
      `memory budget: expert ${index} needs ${this.costs[index]} bytes and only ` +
        `${Math.max(0, this.room())} are available for experts; raise the budget to ${least} or more, ` +
        "or convert to a smaller quantization",
    );
  }
}
