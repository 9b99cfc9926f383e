/** Rows of a table: `edge_experts/features/table.py` in JavaScript. */
import { UsageError } from "../errors.js";
import { LIMITS } from "../limits.js";
import { shown } from "../python_text.js";
import { column, scalar } from "./cells/columns.js";
import { GAPS } from "./cells/gaps.js";

const FARTHEST = 1e6; // deviations from the mean; larger values overflow in a network's float32
const TARGETS = ["label", "split", "target"]; // columns of files that are not inputs

/** Conversion of a row, an object of column names to values, to `x`, (1, width) float32. */
export class TableFeatures {
  static kind = "table";
  static needsContract = "table";

  /**
   * @param {object} settings Columns and contract, as in the manifest.
   * @param {Map} arrays The arrays of features.npz.
   * @throws {Error} They do not fit.
   */
  constructor(settings, arrays) {
    const { columns, contract } = settings;
    if (!Array.isArray(columns) || columns.length === 0 || columns.length > LIMITS.columns) {
      throw new Error(`columns must be a list of 1 to ${LIMITS.columns}`);
    }
    if (contract?.rules !== 1 || String([...(contract.missing ?? [])].sort()) !== String(GAPS)) {
      throw new Error("tables need a contract of rules 1, and its spellings of gaps; convert again");
    }
    this.columns = columns.map(column);
    this.names = new Set(this.columns.map((one) => one.name));
    if (this.names.size !== columns.length) throw new Error("columns must have different names");
    this.numbers = this.columns.filter((one) => one.values === null);
    this.categories = this.columns.filter((one) => one.values !== null);
    [this.mean, this.deviation] = ["mean", "deviation"].map((name) => arrays.get(name)?.data);
    const isFit = [this.mean, this.deviation].every((each) => each?.length === this.numbers.length);
    if (!isFit || !this.mean.every(Number.isFinite) || !this.deviation.every((each) => each > 0)) {
      throw new Error("mean must be finite, and deviation above 0, one for each column of numbers");
    }
    this.width = this.categories.reduce((total, one) => total + one.values.length, this.numbers.length);
  }

  get shapes() {
    return { x: { shape: [1, this.width], type: "float32" } };
  }

  get description() {
    return { kind: "table", columns: this.columns.map((one) => one.described) };
  }

  unpack(packed) {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(packed.data)));
  }

  /**
   * Encodes a row as numbers.
   *
   * @throws {UsageError} It is not a row of these columns.
   */
  encode(example, warnings = null) {
    if (example === null || typeof example !== "object" || Array.isArray(example)) {
      throw new UsageError(
        `an example must map columns to values, got ${shown(example)}; the columns are ` +
          [...this.names].sort().join(", "),
      );
    }
    const row = this.named(example);
    const missing = [...this.names].filter((name) => !Object.hasOwn(row, name)).sort();
    if (missing.length > 0) throw new UsageError(`the row has no column ${missing.join(", ")}`);
    if (warnings !== null) this.warnOfOthers(row, warnings);
    const read = (one) => one.read(scalar(one.name, row[one.name]), warnings);
    const x = new Float32Array(this.width);
    const numbers = this.numbers.map(read);
    numbers.forEach((number, place) => {
      if (number === null) return;
      const standard = (number - this.mean[place]) / this.deviation[place];
      x[place] = Number.isNaN(standard) ? 0 : Math.min(Math.max(standard, -FARTHEST), FARTHEST);
    });
    let start = numbers.length;
    const places = this.categories.map((one) => {
      const place = read(one);
      if (place !== null) x[start + place] = 1;
      start += one.values.length;
      return place;
    });
    if (warnings !== null && [...numbers, ...places].every((each) => each === null)) {
      warnings.push("no column has a value that training knows: the answer says nothing");
    }
    return { x };
  }

  /** Names the row's columns as training did, where only their Unicode form differs. */
  named(example) {
    if ([...this.names].every((name) => Object.hasOwn(example, name))) return example;
    const known = new Map([...this.names].map((name) => [name.normalize("NFC"), name]));
    const entries = Object.entries(example).map(([name, value]) => [known.get(name.normalize("NFC")) ?? name, value]);
    const made = Object.fromEntries(entries);
    return Object.keys(made).length < entries.length ? example : made;
  }

  warnOfOthers(row, warnings) {
    const others = Object.keys(row)
      .filter((name) => !this.names.has(name) && !TARGETS.includes(name.split(":")[0]))
      .sort();
    if (others.length > 0) warnings.push(`columns that are not used: ${others.join(", ").slice(0, 200)}`);
  }
}
