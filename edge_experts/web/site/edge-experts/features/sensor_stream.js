/** Windows of rows of sensors, cut as Python does: `edge_experts/features/sensor_stream.py`. */
import { UsageError } from "../errors.js";

const GAP = 3; // intervals; rows farther apart are not connected
const SNAP = 0.25; // intervals

/** How windows are cut from rows: the `stream` of the features' settings. */
export class SensorStream {
  /** @throws {Error} The settings are of another form. */
  constructor({ channels, stride, time, interval, recording }, shape) {
    const names = [...(Array.isArray(channels) ? channels : []), time, recording].filter((name) => name !== undefined);
    if (!names.every((name) => typeof name === "string" && name !== "") || new Set(names).size < names.length) {
      throw new Error("stream must have channels of different names");
    }
    if (shape.length !== 2 || channels?.length !== shape[1]) throw new Error("stream must have the channels of the shape");
    if (!Number.isInteger(stride) || stride < 1 || stride > 1_000_000) throw new Error("stream must have a stride of rows");
    const isTimed = time !== undefined;
    if (isTimed !== (interval !== undefined) || (isTimed && !(Number.isFinite(interval) && interval > 0))) {
      throw new Error("stream must have a time and an interval, or neither");
    }
    Object.assign(this, { channels, stride, time: time ?? null, interval: interval ?? null });
  }
}

/** Cuts windows from rows as they come; holds one window's rows at most. */
export class WindowCutter {
  #stream;
  #length;
  #rows = [];
  #skip = 0;
  #last = null;
  #expected = 0;

  constructor(stream, length) {
    this.#stream = stream;
    this.#length = length;
  }

  /** Forgets all rows: what comes now is another recording. */
  restart() {
    this.#rows = [];
    this.#skip = 0;
    this.#last = null;
  }

  /**
   * Adds one row.
   *
   * @param {ArrayLike<number|null>} row A number for each channel; null or NaN where nothing was measured.
   * @param {number|null} [time] In the unit of training (dates: seconds); null: the row is taken as it is.
   * @returns {{data: Float32Array, shape: number[]}[]} The windows that it completes, examples for `predict`.
   * @throws {UsageError} The row has other channels, or a time before that of the row before, which
   *   begins a new window.
   */
  push(row, time = null) {
    const { channels, interval } = this.#stream;
    const values = Float32Array.from(row, (number) => (number === null ? NaN : number));
    if (values.length !== channels.length) {
      throw new UsageError(`a row must have ${channels.length} numbers (${channels.join(", ")}), got ${values.length}`);
    }
    if (interval === null || time === null) return this.#add(values);
    if (!Number.isFinite(time)) throw new UsageError(`a time must be a number, got ${time}`);
    const last = this.#last;
    if (last !== null && time < last.time) {
      this.restart();
      throw new UsageError(`time ${time} is before ${last.time}, the time of the row before; a new window begins`);
    }
    if (last !== null && time === last.time) return []; // written twice
    this.#last = { time, values };
    return this.#onGrid(last, time, values, interval);
  }

  #onGrid(last, time, values, interval) {
    if (last === null || time - last.time > GAP * interval) {
      this.#rows = [];
      this.#skip = 0;
      this.#expected = time + interval;
      return this.#add(values);
    }
    const found = [];
    while (this.#expected < time - SNAP * interval) {
      const share = Math.fround((this.#expected - last.time) / (time - last.time));
      const between = (before, channel) => before + Math.fround(share * Math.fround(values[channel] - before));
      found.push(...this.#add(last.values.map(between)));
      this.#expected += interval;
    }
    if (this.#expected <= time + SNAP * interval) {
      this.#expected = time + interval;
      found.push(...this.#add(values));
    }
    return found;
  }

  #add(values) {
    if (this.#skip > 0) {
      this.#skip -= 1;
      return [];
    }
    this.#rows.push(values);
    if (this.#rows.length < this.#length) return [];
    const data = Float32Array.from(this.#rows.flatMap((row) => [...row]));
    const { stride } = this.#stream;
    this.#rows.splice(0, stride);
    this.#skip = Math.max(0, stride - this.#length);
    return [{ data, shape: [this.#length, values.length] }];
  }
}
