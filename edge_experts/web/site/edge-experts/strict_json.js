/**
 * JSON as the manifest needs it: strict, bounded, and with the canonical text of the digest.
 *
 * `JSON.parse` drops what the digest covers: whether a number was written 1 or 1.0, and a key that
 * stands twice.
 */
import { LIMITS } from "./limits.js";
import { byCodePoint, pythonFloat } from "./python_text.js";

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const SHORT = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b" };

/**
 * Parses a JSON value.
 *
 * @returns {{value: *, canonical: function(string[]=): string}} The value, and its canonical text:
 *   sorted keys, no spaces, ASCII, as Python's json.dumps writes it. Keys in `without` are left out
 *   of the outermost object.
 * @throws {Error} It is not JSON, an object has a key twice, or a limit is exceeded.
 */
export function parseJson(text) {
  if ((text.match(/[,[{]/g) ?? []).length > LIMITS.values) {
    throw new Error(`more than ${LIMITS.values} values`);
  }
  const parser = new Parser(text);
  const node = parser.document();
  if (loneSurrogate(node)) throw new Error("a text has half of a character");
  return { value: valueOf(node), canonical: (without = []) => write(node, without) };
}

const floats = new WeakMap();

/** True for a number that was written as a float, such as 1.0, in a parsed object or list. */
export function isFloat(container, key) {
  return floats.get(container)?.has(String(key)) ?? false;
}

class Parser {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  document() {
    const node = this.value(0);
    this.space();
    if (this.at !== this.text.length) throw this.unexpected();
    return node;
  }

  unexpected() {
    return new Error(`unexpected text at character ${this.at}`);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at += found[0].length;
    return found;
  }

  space() {
    this.match(SPACE);
  }

  takes(mark) {
    this.space();
    if (!this.text.startsWith(mark, this.at)) return false;
    this.at += mark.length;
    return true;
  }

  need(mark) {
    if (!this.takes(mark)) throw this.unexpected();
  }

  value(depth) {
    if (this.takes("{")) return this.object(depth + 1);
    if (this.takes("[")) return this.array(depth + 1);
    if (this.takes('"')) return { text: this.string() };
    for (const [word, plain] of [["true", true], ["false", false], ["null", null]]) {
      if (this.takes(word)) return { plain };
    }
    return this.number();
  }

  object(depth) {
    if (depth > LIMITS.nesting) throw new Error(`nested more than ${LIMITS.nesting} deep`);
    const entries = new Map();
    if (this.takes("}")) return { entries };
    do {
      this.need('"');
      const key = this.string();
      if (entries.has(key)) throw new Error("a key stands twice in one object");
      this.need(":");
      entries.set(key, this.value(depth));
    } while (this.takes(","));
    this.need("}");
    return { entries };
  }

  array(depth) {
    if (depth > LIMITS.nesting) throw new Error(`nested more than ${LIMITS.nesting} deep`);
    const items = [];
    if (this.takes("]")) return { items };
    do items.push(this.value(depth));
    while (this.takes(","));
    this.need("]");
    return { items };
  }

  string() {
    let found = "";
    for (;;) {
      found += this.match(PLAIN)[0];
      const mark = this.text[this.at];
      this.at += 1;
      if (mark === '"') return found;
      if (mark !== "\\") throw this.unexpected();
      found += this.escape();
    }
  }

  escape() {
    const mark = this.text[this.at];
    this.at += 1;
    if (Object.hasOwn(ESCAPES, mark ?? "")) return ESCAPES[mark];
    const digits = this.text.slice(this.at, this.at + 4);
    if (mark !== "u" || !/^[0-9a-fA-F]{4}$/.test(digits)) throw this.unexpected();
    this.at += 4;
    return String.fromCharCode(parseInt(digits, 16));
  }

  number() {
    this.space();
    const found = this.match(NUMBER);
    if (found === null) throw this.unexpected();
    const [text, fraction, exponent] = found;
    const number = Number(text);
    if (fraction === undefined && exponent === undefined) {
      if (text.replace("-", "").length > LIMITS.digits) throw new Error("too large a number");
      const exact = BigInt(text);
      // Beyond 2**53 a number of JavaScript may be another one: none of these fits any field.
      const plain = BigInt(number) === exact ? number : Math.sign(number) * 2 ** 80;
      return { plain, number: exact.toString() };
    }
    if (!Number.isFinite(number)) throw new Error("too large a number");
    return { plain: number, number: pythonFloat(number), float: true };
  }
}

function valueOf(node) {
  if (node.entries !== undefined) {
    const made = Object.create(null);
    for (const [key, value] of node.entries) made[key] = valueOf(value);
    return noting(made, node.entries);
  }
  if (node.items !== undefined) return noting(node.items.map(valueOf), node.items.entries());
  return node.text ?? node.plain;
}

function noting(made, entries) {
  const found = [...entries].filter(([, node]) => node.float).map(([key]) => String(key));
  if (found.length > 0) floats.set(made, new Set(found));
  return made;
}

function loneSurrogate(node) {
  if (node.entries !== undefined) {
    return [...node.entries].some(([key, value]) => isOdd(key) || loneSurrogate(value));
  }
  if (node.items !== undefined) return node.items.some(loneSurrogate);
  return node.text !== undefined && isOdd(node.text);
}

function isOdd(text) {
  return /\p{Surrogate}/u.test(text);
}

function write(node, without) {
  if (node.entries !== undefined) {
    const keys = [...node.entries.keys()].filter((key) => !without.includes(key)).sort(byCodePoint);
    return `{${keys.map((key) => `${quoted(key)}:${write(node.entries.get(key), [])}`).join(",")}}`;
  }
  if (node.items !== undefined) return `[${node.items.map((item) => write(item, [])).join(",")}]`;
  if (node.text !== undefined) return quoted(node.text);
  return node.number ?? String(node.plain);
}

function quoted(text) {
  const escaped = text.replace(
    /["\\]|[^ -~]/g,
    (mark) => SHORT[mark] ?? `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return `"${escaped}"`;
}
