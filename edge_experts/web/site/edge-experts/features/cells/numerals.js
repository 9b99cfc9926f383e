/** Spellings of numbers: `features/cells/numerals.py` in JavaScript. */
import { decimal, isDecimal, length, strip } from "../../python_text.js";

/** Squares of larger numbers overflow; no measurement is as large. */
export const LARGEST = 1e30;
const SPACES = "\u00a0\u202f\u2009\u2007\u2008";
const SIGNS = { "\u2212": "-", "\u2019": "'", "\uff0b": "+", "\uff0d": "-", "\uff0e": ".", "\uff0c": "," };
const CURRENCY =
  "(?:US\\$|[$\u20ac\u00a3\u00a5\u20b9\u20bd\u20a9\u20ba\u20aa]|CHF|EUR|USD|GBP|JPY|CNY|INR|AUD|CAD|SEK" +
  "|NOK|DKK|PLN|CZK|BRL|ZAR)";
const LETTERS = "\\p{L}\\p{Nl}\\p{No}"; // Python's [^\W\d_]
const BEGIN = `[${LETTERS}\u00b0%\u2030$\u20ac\u00a3\u00a5\u20b9]`;
const LATER = `[${LETTERS}\u00b0%\u2030/\u00b7\u00b2\u00b3\u00b9\u207b^$\u20ac\u00a3\u00a5\u20b9. ]`;
const NUMERAL = new RegExp(
  `^(?<sign>[+\\-]?) ?(?<currency>${CURRENCY})? ?(?<inner>[+\\-]?)` +
    "(?<body>[.,]?[0-9](?:[0-9., ']*[0-9.,])?)(?<exponent>[eE][+\\-]?[0-9]+)?" +
    ` ?(?<unit>${BEGIN}${LATER}{0,14}(?:[\\-^]?[0-9])?)?$`,
  "u",
);
const PLAIN = /^(?<sign>[+-]?)(?<body>[0-9]+\.?[0-9]*|\.[0-9]+)(?<exponent>[eE][+-]?[0-9]+)?$/;
// Python's IGNORECASE lets both dotted and dotless i stand for an i.
const I = "[iI\u0130\u0131]";
const INFINITE = new RegExp(`^[+-]?(?:${I}[nN][fF](?:${I}[nN]${I}[tT][yY])?|\u221e|1\\.#${I}[nN][fF])$`);
const MARKS = [["." , ""], [".", ","], [".", " "], [".", "'"], [",", ""], [",", "."], [",", " "], [",", "'"]];

/** Format of the numbers in a column: decimal mark, separator of thousands, unit. */
export class NumberFormat {
  /** @throws {Error} The content is not such a format. */
  constructor({ decimal: mark, thousands, unit }) {
    const known = MARKS.some(([one, other]) => one === mark && other === thousands);
    if (!known || typeof unit !== "string" || length(unit) > 20) throw new Error("a column's format is unknown");
    this.mark = mark;
    this.thousands = thousands;
    this.unit = unit;
    this.pattern = pattern(escaped(mark), escaped(thousands));
  }

  /** Reads the number in a cell; null for another format. Infinite numbers are infinite. */
  number(cell) {
    const text = normalized(cell);
    if (this.mark === "." && PLAIN.test(text)) return Number(text);
    if (INFINITE.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
    const numeral = parts(text);
    if (numeral === null || !["", this.unit].includes(numeral.unit) || !this.pattern.test(numeral.body)) return null;
    const digits = this.thousands === "" ? numeral.body : numeral.body.replaceAll(this.thousands, "");
    const value = Number(digits.replace(this.mark, ".") + numeral.exponent);
    return numeral.isNegative ? -value : value;
  }

  /** Formats a sample number, for messages. */
  example() {
    const grouped = `1${this.thousands}234${this.mark}5`;
    return this.unit === "" ? grouped : `${grouped} ${this.unit}`;
  }
}

function escaped(mark) {
  return mark === "." ? "\\." : mark;
}

function pattern(point, group) {
  let whole = "[0-9]+";
  if (group !== "") {
    // The second pattern: lakhs and crores, 12,34,567.
    whole += `|[1-9][0-9]{0,2}(?:${group}[0-9]{3})+`;
    whole += `|[1-9][0-9]?(?:${group}[0-9]{2})+${group}[0-9]{3}`;
  }
  return new RegExp(`^(?:(?:${whole})(?:${point}[0-9]*)?|${point}[0-9]+)$`);
}

/** Converts a cell to ASCII digits, signs and spaces, stripped. */
function normalized(text) {
  if (/^[\u0000-\u007f]*$/.test(text)) return strip(text);
  const plain = Array.from(text, (each) => (SPACES.includes(each) ? " " : (SIGNS[each] ?? each))).join("");
  return Array.from(strip(plain), (each) => (isDecimal(each) ? String(decimal(each)) : each)).join("");
}

/** Splits a normalized cell that looks like a number, in any format; null for others. */
function parts(text) {
  const plain = PLAIN.exec(text);
  if (plain !== null) {
    const { sign, body, exponent } = plain.groups;
    return { isNegative: sign === "-", body, exponent: exponent ?? "", unit: "" };
  }
  const match = NUMERAL.exec(text);
  if (match === null || (match.groups.sign !== "" && match.groups.inner !== "")) return null;
  const { sign, inner, body, exponent } = match.groups;
  const unit = strip(match.groups.unit ?? "");
  const currency = match.groups.currency ?? "";
  const isHexadecimal = body === "0" && /^[xbo]/i.test(unit) && length(unit) > 1;
  if (isHexadecimal || (unit !== "" && currency !== "")) return null;
  return { isNegative: sign === "-" || inner === "-", body, exponent: exponent ?? "", unit: unit || currency };
}
