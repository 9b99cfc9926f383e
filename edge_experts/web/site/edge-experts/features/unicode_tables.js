/** Unicode tables stored with features: `edge_experts/features/unicode_tables.py` in JavaScript. */
import { LIMITS } from "../limits.js";

export const WORD = 1;
export const SPACE = 2;
export const MARK = 4;
const UNSTABLE = 16;
const FOLDED = 32;
const CODE_POINTS = 0x110000;
const LONGEST_MAPPING = 18;
// Hangul is composed by rule: https://www.unicode.org/versions/Unicode15.0.0/ch03.pdf, 3.12
const [S_BASE, L_BASE, V_BASE, T_BASE] = [0xac00, 0x1100, 0x1161, 0x11a7];
const [L_COUNT, V_COUNT, T_COUNT] = [19, 21, 28];
const S_COUNT = L_COUNT * V_COUNT * T_COUNT;

/** Properties, normalization and case folding by tables of one Unicode version. */
export class UnicodeTables {
  /**
   * @param {Map} arrays The arrays of features.npz.
   * @throws {Error} They are not such tables.
   */
  constructor(arrays) {
    const [starts, properties] = columns("ranges", arrays.get("unicode_ranges"), 2, [0]);
    if (starts[0] !== 0 || !ascends(starts)) throw new Error("unicode ranges must ascend from 0");
    if (properties.some((each) => each < 0 || each >= 2 ** 16)) {
      throw new Error("unicode properties must be of 16 bits");
    }
    this.starts = codePoints("ranges", starts);
    this.kinds = properties;
    const targets = numbers("decompositions", arrays.get("unicode_decompositions"), 1);
    this.decompositions = new Mapping(
      "decompositions",
      columns("decomposed", arrays.get("unicode_decomposed"), 2, [0]),
      Array.from(targets.data),
    );
    const keys = columns("folded", arrays.get("unicode_folded"), 2, [0]);
    this.folds = new Mapping("folds", keys, shifted(keys, arrays.get("unicode_folds")));
    const folded = this.starts.reduce((total, start, place) => {
      const end = place + 1 < this.starts.length ? this.starts[place + 1] : CODE_POINTS;
      return total + (this.kinds[place] & FOLDED ? end - start : 0);
    }, 0);
    if (folded !== keys[0].length || keys[0].some((code) => !(this.properties(code) & FOLDED))) {
      throw new Error("unicode folds must be of the code points whose properties say so");
    }
    const pairs = columns("compositions", arrays.get("unicode_compositions"), 3, [0, 1, 2]);
    for (const column of pairs) codePoints("compositions", column);
    this.pairs = new Map(pairs[0].map((first, row) => [first * CODE_POINTS + pairs[1][row], pairs[2][row]]));
  }

  /** Looks up the properties of a code point. */
  properties(code) {
    return this.kinds[place(this.starts, code)];
  }

  /** Normalizes code points to the tables' form: decompose, order marks, compose, by clusters. */
  normalized(codes) {
    const unstable = codes.map((code) => (this.properties(code) & UNSTABLE) !== 0);
    if (!unstable.includes(true)) return codes;
    const made = [];
    let start = 0;
    for (let at = 1; at <= codes.length; at += 1) {
      if (at < codes.length && unstable[at]) continue;
      // A cluster is a character with the unstable ones after it.
      const cluster = codes.slice(start, at);
      const changes = cluster.length > 1 || unstable[start];
      for (const code of changes ? this.composed(cluster) : cluster) made.push(code);
      start = at;
    }
    return made;
  }

  /** Folds the case of code points. */
  folded(codes) {
    const made = [];
    for (const code of codes) {
      if (this.properties(code) & FOLDED) made.push(...this.folds.of(code));
      else made.push(code);
    }
    return made;
  }

  composed(cluster) {
    const ordered = [];
    let marks = [];
    const flush = () => {
      // A stable sort, as canonical ordering requires.
      ordered.push(...marks.sort((one, other) => one[0] - other[0]));
      marks = [];
    };
    for (const code of cluster.flatMap((each) => this.decomposed(each))) {
      const combining = (this.properties(code) >> 8) & 0xff;
      if (combining !== 0) {
        marks.push([combining, code]);
        continue;
      }
      flush();
      ordered.push([0, code]);
    }
    flush();
    return this.compose(ordered);
  }

  compose(ordered) {
    const found = [];
    let starter = -1;
    let last = 0;
    for (const [combining, code] of ordered) {
      // Blocked by a mark of the same or a higher class, or by a starter, between the two.
      const isNear = starter >= 0 && (last < combining || (last === 0 && starter === found.length - 1));
      const joined = isNear ? this.composite(found[starter], code) : null;
      if (joined !== null) {
        found[starter] = joined;
        continue;
      }
      if (combining === 0) starter = found.length;
      last = combining;
      found.push(code);
    }
    return found;
  }

  decomposed(code) {
    const index = code - S_BASE;
    if (index < 0 || index >= S_COUNT) return this.decompositions.of(code) ?? [code];
    const tail = index % T_COUNT;
    const syllable = [
      L_BASE + Math.floor(index / (V_COUNT * T_COUNT)),
      V_BASE + Math.floor((index % (V_COUNT * T_COUNT)) / T_COUNT),
    ];
    return tail === 0 ? syllable : [...syllable, T_BASE + tail];
  }

  composite(first, second) {
    const [lead, vowel] = [first - L_BASE, second - V_BASE];
    if (lead >= 0 && lead < L_COUNT && vowel >= 0 && vowel < V_COUNT) {
      return S_BASE + (lead * V_COUNT + vowel) * T_COUNT;
    }
    const [syllable, tail] = [first - S_BASE, second - T_BASE];
    if (syllable >= 0 && syllable < S_COUNT && syllable % T_COUNT === 0 && tail > 0 && tail < T_COUNT) {
      return first + tail;
    }
    return this.pairs.get(first * CODE_POINTS + second) ?? null;
  }
}

class Mapping {
  constructor(name, [codes, lengths], targets) {
    codePoints(name, codes);
    codePoints(name, targets);
    if (!ascends(codes)) throw new Error(`unicode ${name} must ascend`);
    if (lengths.some((each) => each < 1 || each > LONGEST_MAPPING)) {
      throw new Error(`unicode ${name} must be of 1 to ${LONGEST_MAPPING} code points`);
    }
    if (lengths.reduce((total, each) => total + each, 0) !== targets.length) {
      throw new Error(`unicode ${name} must have as many code points as they say`);
    }
    this.found = new Map();
    let start = 0;
    codes.forEach((code, index) => {
      this.found.set(code, targets.slice(start, start + lengths[index]));
      start += lengths[index];
    });
  }

  of(code) {
    return this.found.get(code);
  }
}

/** Index of the last start that is not above a code point. */
function place(starts, code) {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= code) low = middle;
    else high = middle;
  }
  return low;
}

function numbers(name, array, axes) {
  if (array === undefined || array.dtype !== "int32" || array.shape.length !== axes) {
    throw new Error(`unicode ${name} must be int32 of ${axes} dimensions`);
  }
  return array;
}

/** Restores the columns of a table, some of which are stored as differences of rows. */
function columns(name, array, count, summed) {
  const { shape, data } = numbers(name, array, 2);
  if (shape[0] !== count || shape[1] > LIMITS.unicode_rows) {
    throw new Error(`unicode ${name} must be of ${count} columns and at most ${LIMITS.unicode_rows} rows`);
  }
  return Array.from({ length: count }, (_, column) => {
    let total = 0;
    return Array.from(data.subarray(column * shape[1], (column + 1) * shape[1]), (value) => {
      total += value;
      return summed.includes(column) ? total : value;
    });
  });
}

function shifted([codes, lengths], array) {
  const { data } = numbers("folds", array, 1);
  if (lengths.some((each) => each < 0) || lengths.reduce((total, each) => total + each, 0) !== data.length) {
    throw new Error("unicode folds must have as many code points as they say");
  }
  let at = 0;
  return codes.flatMap((code, index) => {
    const found = Array.from(data.subarray(at, at + lengths[index]), (offset) => code + offset);
    at += lengths[index];
    return found;
  });
}

function codePoints(name, values) {
  if (values.length > LIMITS.unicode_rows || values.some((each) => each < 0 || each >= CODE_POINTS)) {
    throw new Error(`unicode ${name} must be at most ${LIMITS.unicode_rows} numbers below ${CODE_POINTS}`);
  }
  return values;
}

function ascends(values) {
  return values.every((value, index) => index === 0 || values[index - 1] < value);
}
