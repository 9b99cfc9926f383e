/** Spellings of gaps, and of true and false: `features/cells/gaps.py` and `booleans.py`. */
import { casefold, strip } from "../../python_text.js";

const SPELLINGS = new Set([
  "", "na", "n/a", "n.a.", "n.a", "nan", "-nan", "+nan", "null", "(null)", "<na>", "nat", "<null>", "nul",
  "#n/a", "#n/a n/a", "#na", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!", "#nv", "#wert!",
  "\\n", "1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind", "1.#snan", "nan(ind)", "-nan(ind)", "?", "??", "???",
  ".", "..", "...", "\u2026", "<none>", "none", "nil", "-", "--", "---", "\u2013", "\u2014", "\u2212",
  "missing", "undefined", "no data", "not available", "not applicable", "k.a.", "k. a.", "(blank)", "[null]",
]);
const TRUE = ["true", "t", "yes", "y", "on", "1", "1.0", "ja", "j", "oui", "si", "s\u00ed", "sim", "wahr", "vrai",
  "vero", "verdadero", "verdadeiro", "waar"];
const FALSE = ["false", "f", "no", "n", "off", "0", "0.0", "nein", "non", "n\u00e3o", "falsch", "faux", "falso",
  "onwaar", "nee"];
const WORDS = new Map([...TRUE.map((word) => [word, true]), ...FALSE.map((word) => [word, false])]);

/** Spellings of gaps, sorted as the contract of a table has them. */
export const GAPS = [...SPELLINGS].sort();

/** Tests for a cell that is a gap in every column of numbers. */
export function isGap(text) {
  return SPELLINGS.has(casefold(strip(text)));
}

/** Reads a cell as true or false; null if it is neither. */
export function boolean(text) {
  return WORDS.get(casefold(strip(text))) ?? null;
}
