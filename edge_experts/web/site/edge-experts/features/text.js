/** Text to hashed n-grams: `edge_experts/features/text.py` in JavaScript, equal to the bit. */
import { UsageError } from "../errors.js";
import { MARK, SPACE, UnicodeTables, WORD } from "./unicode_tables.js";
import { Wide } from "./wide.js";

const [SPACE_KIND, WORD_KIND, OTHER_KIND, MARK_KIND] = [0, 1, 2, 3];
const BLANK = 32;
// The longest decomposition of one composed character, and a margin for a cut at the end.
const [DECOMPOSED, SLACK] = [4, 32];
const HEAVIEST = 65504;
const SIZES = { length: 2 ** 14, word_ngrams: 8, word_bits: 22, char_bits: 22, max_characters: 2 ** 20 };

/** Conversion of text to `ids` (1, length) int32 and `weights` (1, length) float32. */
export class TextFeatures {
  static kind = "text";
  static needsContract = "text";

  /**
   * @param {object} settings Sizes and contract, as in the manifest.
   * @param {Map} arrays The arrays of features.npz.
   * @throws {Error} They do not fit.
   */
  constructor(settings, arrays) {
    const { contract } = settings;
    if (contract?.rules !== 1 || contract.normalization !== "NFC" || contract.case !== "folded") {
      throw new Error("texts need a contract with Unicode tables (rules 1, NFC, case folded); convert again");
    }
    this.tables = new UnicodeTables(arrays);
    this.settings = { ...settings };
    for (const [name, most] of Object.entries(SIZES)) checkSize(name, settings[name], 1, most);
    checkSize("fine_bits", settings.fine_bits, 0, 31);
    const [shortest, longest] = settings.char_ngrams;
    checkSize("char_ngrams", shortest, 2, longest);
    checkSize("char_ngrams", longest, shortest, 16);
    this.buckets = 2 ** settings.word_bits + 2 ** settings.char_bits;
    if (this.buckets * 2 ** settings.fine_bits > 2 ** 31) throw new Error("ids must stay below 2**31");
    const weights = arrays.get("bucket_weights");
    if (String(weights?.shape) !== String(this.buckets)) {
      throw new Error(`bucket_weights must have shape (${this.buckets},)`);
    }
    if (!weights.data.every((weight) => weight >= 0 && weight <= HEAVIEST)) {
      throw new Error(`bucket_weights must be from 0 to ${HEAVIEST}`);
    }
    this.weights = weights.data;
    this.hashing = new Hashing(settings);
  }

  get shapes() {
    const shape = [1, this.settings.length];
    return { ids: { shape, type: "int32" }, weights: { shape, type: "float32" } };
  }

  get description() {
    return { kind: "text", characters: this.settings.max_characters };
  }

  unpack(packed) {
    const bytes = Uint8Array.from(packed.data);
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  }

  /**
   * Encodes a text.
   *
   * @throws {UsageError} It is not a text.
   */
  encode(example) {
    if (typeof example !== "string") throw new UsageError(`an example must be a text, got ${typeof example}`);
    const { length } = this.settings;
    const ids = new Int32Array(length);
    const weights = new Float32Array(length);
    let found = unique(this.hashing.ngrams(this.words(example)));
    const weigh = (id) => this.weights[id % this.buckets];
    if (found.length > length) {
      // A stable sort: every processor must select the same ones of equal weights.
      found = Array.from(found).sort((one, other) => weigh(other) - weigh(one)).slice(0, length);
    }
    let squares = 0;
    for (const id of found) squares += weigh(id) ** 2;
    const norm = Math.fround(Math.sqrt(squares));
    if (norm > 0) {
      found.forEach((id, place) => {
        ids[place] = id;
        weights[place] = weigh(id) / norm;
      });
    }
    return { ids, weights };
  }

  /** Returns the code points of a text's words, with a space before each. */
  words(text) {
    const most = this.settings.max_characters;
    const given = firstCodes(text, DECOMPOSED * most + SLACK);
    const ascii = given.every((code) => code < 128) && isAscii(text);
    const codes = ascii
      ? given.slice(0, most).map(lower)
      : this.tables.folded(this.tables.normalized(given).slice(0, most));
    const kindOf = ascii ? asciiKind : (code) => kind(this.tables.properties(code));
    const joined = [];
    let before = SPACE_KIND;
    for (const code of codes) {
      let found = kindOf(code);
      // Marks have the kind of the character before them; after a space they are of their own.
      if (found === MARK_KIND) found = before === SPACE_KIND ? OTHER_KIND : before;
      if (found !== SPACE_KIND) {
        if (found !== before) joined.push(BLANK);
        joined.push(code);
      }
      before = found;
    }
    return joined.slice(0, most);
  }
}

/** Hashes of n-grams by prefix sums of a polynomial hash modulo 2**64. */
class Hashing {
  constructor(settings) {
    this.settings = settings;
    const size = settings.max_characters + 2;
    this.powers = Wide.powers(0x9e3779b97f4a7c15n, size);
    this.inverses = Wide.powers(inverse(0x9e3779b97f4a7c15n), size);
  }

  /** Returns the bucket of every n-gram: words, pairs, then characters. */
  ngrams(known) {
    if (known.length === 0) return new Float64Array(0);
    const { word_ngrams: pairs, char_ngrams: [shortest, longest] } = this.settings;
    const codes = [...known, BLANK];
    this.prefix = Wide.prefixSums(codes, this.powers);
    const edges = [];
    const seen = new Int32Array(codes.length); // spaces up to and including each character
    codes.forEach((code, place) => {
      if (code === BLANK) edges.push(place);
      seen[place] = edges.length;
    });
    const ids = [];
    for (let n = 1; n <= Math.min(pairs, edges.length - 1); n += 1) {
      for (let place = 0; place + n < edges.length; place += 1) {
        ids.push(this.id(edges[place], edges[place + n], this.settings.word_bits, 0));
      }
    }
    const first = 2 ** this.settings.word_bits;
    for (let n = shortest; n <= Math.min(longest, codes.length); n += 1) {
      for (let start = 0; start + n <= codes.length; start += 1) {
        // A space may be at either end of an n-gram (the word's edge), never inside.
        if (seen[start + n - 2] === seen[start]) {
          ids.push(this.id(start, start + n, this.settings.char_bits, first));
        }
      }
    }
    return Float64Array.from(ids);
  }

  id(start, end, bits, first) {
    const { fine_bits: fine, word_bits: wordBits, char_bits: charBits } = this.settings;
    const [high, low] = Wide.hash(this.prefix, start, end, this.inverses);
    const bucket = first + (high >>> (32 - bits));
    if (fine === 0) return bucket;
    const lower = ((high << 8) | (low >>> 24)) & (fine === 31 ? 0x7fffffff : 2 ** fine - 1);
    return bucket + lower * (2 ** wordBits + 2 ** charBits);
  }
}

function inverse(odd) {
  let found = odd; // Newton's iteration doubles the number of correct bits
  for (let step = 0; step < 6; step += 1) found = BigInt.asUintN(64, found * (2n - odd * found));
  return found;
}

function unique(ids) {
  return ids.sort().filter((id, place) => place === 0 || ids[place - 1] !== id);
}

function firstCodes(text, most) {
  const codes = [];
  for (const character of text) {
    if (codes.length === most) break;
    codes.push(character.codePointAt(0));
  }
  return codes;
}

function isAscii(text) {
  return /^[\u0000-\u007f]*$/.test(text);
}

function lower(code) {
  return code >= 65 && code <= 90 ? code + 32 : code;
}

function asciiKind(code) {
  if (code === 32 || (code >= 9 && code <= 13) || (code >= 28 && code <= 31)) return SPACE_KIND;
  const isDigit = code >= 48 && code <= 57;
  return isDigit || (code >= 97 && code <= 122) || code === 95 ? WORD_KIND : OTHER_KIND;
}

function kind(properties) {
  if (properties & SPACE) return SPACE_KIND;
  if (properties & WORD) return WORD_KIND;
  return properties & MARK ? MARK_KIND : OTHER_KIND;
}

function checkSize(name, value, least, most) {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${name} must be from ${least} to ${most}, got ${value}`);
  }
}
