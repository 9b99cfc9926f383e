/** Kinds of columns: `features/cells/column_kinds.py` in JavaScript. */
import { UsageError } from "../../errors.js";
import { LIMITS } from "../../limits.js";
import { casefold, general, isDecimal, length, pythonFloat, shown, strip } from "../../python_text.js";
import { moment } from "./dates.js";
import { boolean, isGap } from "./gaps.js";
import { LARGEST, NumberFormat } from "./numerals.js";

/**
 * Restores a column that the settings describe.
 *
 * A column's `read` returns the number of a value, or the index of a category's value; null for gaps.
 *
 * @throws {Error} It is not such a description.
 */
export function column(content) {
  const kinds = { number: NumberColumn, date: DateColumn, boolean: BooleanColumn, category: CategoryColumn };
  if (!isName(content?.name)) throw new Error("a column must be an object with a name");
  if (!Object.hasOwn(kinds, content.type)) {
    throw new Error(`type must be number, date, boolean or category, got ${shown(content.type)}`);
  }
  return new kinds[content.type](content);
}

/** Tests for a text that can be a column's name, or a category's value. */
function isName(value) {
  return typeof value === "string" && length(value) <= LIMITS.value_characters;
}

/** Converts a value to one that columns read. */
export function scalar(name, value) {
  if (value === null || ["string", "number", "boolean"].includes(typeof value)) return value;
  if (value === undefined) return null;
  throw new UsageError(
    `column '${name}' must hold a number, a text, true, false or null, got ${Array.isArray(value) ? "list" : typeof value}`,
  );
}

class NumberColumn {
  values = null;

  constructor({ name, format, binary, range }) {
    this.name = name;
    this.format = new NumberFormat(format);
    this.isBinary = binary === true;
    this.range = rangeOf(range);
    const [low, high] = this.range;
    this.bounds = Number.isFinite(low) ? [low - (high - low), high + (high - low)] : this.range;
  }

  get described() {
    const range = Number.isFinite(this.range[0]) ? this.range : null;
    return { name: this.name, type: "number", range, example: this.format.example(), unit: this.format.unit };
  }

  read(value, warnings) {
    const number = this.number(value);
    if (number === null || Number.isNaN(number)) return null;
    const [low, high] = this.range;
    if (Math.abs(number) > LARGEST) {
      warnings?.push(`column '${this.name}': ${shown(value)} is infinite: read as a gap`);
      return null;
    }
    if (!(this.bounds[0] <= number && number <= this.bounds[1])) {
      warnings?.push(
        `column '${this.name}': ${general(number)} lies far outside ${general(low)} to ${general(high)}, the ` +
          "range of training",
      );
    } else if (this.format.unit === "%" && number > 0 && number <= 1 && low > 1) {
      warnings?.push(
        `column '${this.name}': ${general(number)} is ${general(number)} %, below ${general(low)} to ` +
          `${general(high)}, the range of training; write ${general(100 * number)} if it is a share of 1`,
      );
    }
    return number;
  }

  number(value) {
    if (typeof value === "boolean") {
      if (!this.isBinary) throw this.refused(value);
      return Number(value);
    }
    if (typeof value === "number" || value === null) return value;
    let number = this.format.number(value);
    if (number === null && isGap(value)) return null;
    if (number === null && this.isBinary) {
      const truth = boolean(value);
      number = truth === null ? null : Number(truth);
    }
    if (number === null) throw this.refused(value);
    return number;
  }

  refused(value) {
    return new UsageError(
      `column '${this.name}' must hold a number, got ${shown(value)}; write it like ${this.format.example()}, or ` +
        "null or an empty cell for a gap",
    );
  }
}

class DateColumn {
  values = null;

  constructor({ name, month_first: monthFirst, range }) {
    this.name = name;
    this.monthFirst = monthFirst === true;
    this.range = rangeOf(range);
  }

  get described() {
    const example = this.monthFirst ? "3/31/2024" : "31.3.2024";
    return { name: this.name, type: "date", range: null, example: `${example} or 2024-03-31`, unit: "" };
  }

  read(value, warnings) {
    if (value === null || Number.isNaN(value) || (typeof value === "string" && isGap(value))) return null;
    let found = typeof value === "number" ? value : null;
    if (typeof value === "string") found = moment(value, this.monthFirst);
    if (found === null || Math.abs(found) > LARGEST) {
      throw new UsageError(
        `column '${this.name}' must hold a date or a time, got ${shown(value)}; write it like 2024-01-31 or ` +
          "2024-01-31T10:20:00, or null or an empty cell for a gap",
      );
    }
    if (!(this.range[0] <= found && found <= this.range[1])) {
      warnings?.push(`column '${this.name}': ${shown(value)} is outside the training's times`);
    }
    return found;
  }
}

class BooleanColumn {
  values = ["false", "true"];

  constructor({ name }) {
    this.name = name;
  }

  get described() {
    return { name: this.name, type: "boolean", values: this.values };
  }

  read(value) {
    if (value === null || Number.isNaN(value)) return null;
    if (value === 0 || value === 1 || typeof value === "boolean") return Number(value);
    if (typeof value === "string" && isGap(value)) return null;
    const truth = typeof value === "string" ? boolean(value) : null;
    if (truth === null) {
      throw new UsageError(
        `column '${this.name}' must hold true or false, got ${shown(value)}; write true, false, yes, no, 1 or 0, ` +
          "or null or an empty cell for a gap",
      );
    }
    return Number(truth);
  }
}

class CategoryColumn {
  constructor({ name, values, kept }) {
    const isList = Array.isArray(values) && values.length <= LIMITS.column_values;
    if (!isList || !values.every(isName) || new Set(values).size !== values.length) {
      throw new Error(`values must be at most ${LIMITS.column_values} different texts`);
    }
    if (!Array.isArray(kept) || kept.length > LIMITS.column_values) throw new Error("kept must be a list of texts");
    this.name = name;
    this.values = values;
    this.kept = kept;
    this.places = new Map(values.map((value, place) => [value, place]));
  }

  get described() {
    return { name: this.name, type: "category", values: this.values };
  }

  read(value, warnings) {
    const spelled = this.spelling(value);
    if (spelled === null) return null;
    const place = this.places.get(spelled);
    if (place !== undefined) return place;
    if (typeof value === "boolean") {
      const words = this.values.filter((word) => casefold(word) === spelled);
      if (words.length === 1) return this.places.get(words[0]);
    }
    warnings?.push(
      `column '${this.name}': ${shown(value)} is no value that training had: read as none of its ` +
        `${this.values.length} values`,
    );
    return null;
  }

  /** Spells a value as the column does: 2 and 2.0 are "2", true is "true"; null for a gap. */
  spelling(value) {
    if (typeof value === "boolean") return String(value);
    if (typeof value === "number") {
      if (Number.isNaN(value)) return null;
      if (Number.isInteger(value)) return BigInt(value).toString();
      return Number.isFinite(value) ? pythonFloat(value) : value > 0 ? "inf" : "-inf";
    }
    if (value === null) return null;
    const text = strip(value).normalize("NFC");
    if (isGap(text) && !this.kept.includes(text)) return null;
    const whole = text.endsWith(".0") ? text.slice(0, -2) : text;
    return isDecimal(whole.replace(/^-/, "")) && length(whole) < 16 ? whole : text;
  }
}

function rangeOf(range) {
  if (range === null || range === undefined) return [-Infinity, Infinity];
  if (!Array.isArray(range) || range.length !== 2 || !range.every((each) => typeof each === "number")) {
    throw new Error("a column's range must be of two numbers");
  }
  return range;
}
