/** Text functions that give what Python's give, where JavaScript's own differ. */

const SPACES = "\\t-\\r\\u001c-\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const EDGES = new RegExp(`^[${SPACES}]+|[${SPACES}]+$`, "g");

/** Removes white space of Unicode from both ends, as str.strip does. */
export function strip(text) {
  return text.replace(EDGES, "");
}

/** Compares texts by their code points; JavaScript compares halves of characters. */
export function byCodePoint(one, other) {
  const left = [...one];
  const right = [...other];
  for (let place = 0; place < Math.min(left.length, right.length); place += 1) {
    const difference = left[place].codePointAt(0) - right[place].codePointAt(0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Folds case as str.casefold does, for comparisons with the words of this package. */
export function casefold(text) {
  // U+0131 is the one letter that becomes another ASCII letter by upper case alone.
  const fold = (each) => (each === "\u0131" ? each : each.toLowerCase().toUpperCase().toLowerCase());
  return Array.from(text, fold).join("");
}

/** Formats a finite number as repr(float) does: the shortest digits that give it back. */
export function pythonFloat(number) {
  if (number === 0) return Object.is(number, -0) ? "-0.0" : "0.0";
  const [, sign, first, rest, exponent] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(
    number.toExponential(),
  );
  const digits = first + (rest ?? "");
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    const fraction = rest === undefined ? "" : `.${rest}`;
    const padded = String(Math.abs(power)).padStart(2, "0");
    return `${sign}${first}${fraction}e${power < 0 ? "-" : "+"}${padded}`;
  }
  if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${digits}`;
  const whole = digits.slice(0, power + 1).padEnd(power + 1, "0");
  return `${sign}${whole}.${digits.slice(power + 1) || "0"}`;
}

/** Value of a decimal digit of any script; null for other characters. */
export function decimal(character) {
  if (!/^\p{Nd}$/u.test(character)) return null;
  // Digits come in runs of ten from zero; some runs follow each other.
  const code = character.codePointAt(0);
  let start = code;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(start - 1))) start -= 1;
  return (code - start) % 10;
}

/** True for one or more decimal digits, as str.isdecimal. */
export function isDecimal(text) {
  return /^\p{Nd}+$/u.test(text);
}

/** Number of characters, as len counts them. */
export function length(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Formats a value for a message, at most 40 characters. */
export function shown(value) {
  if (typeof value === "string") return `'${value.slice(0, 38)}'`;
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null || value === undefined) return "None";
  return String(value).slice(0, 40);
}

/** Formats a number as Python's format "g": six digits, without trailing zeros. */
export function general(number) {
  if (!Number.isFinite(number)) return number > 0 ? "inf" : number < 0 ? "-inf" : "nan";
  if (number === 0) return Object.is(number, -0) ? "-0" : "0";
  const [mantissa, exponent] = sixDigits(number).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 6) {
    const digits = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  const fixed = Number(`${mantissa}e${exponent}`).toFixed(Math.max(0, 5 - power));
  return fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
}

/** Writes a number with six digits; halves go to even digits, as in Python. */
function sixDigits(number) {
  const exact = number.toExponential(100);
  const [, kept, exponent] = /^(-?\d\.\d{4}[02468])50*e(.+)$/.exec(exact) ?? [];
  return kept === undefined ? number.toExponential(5) : `${kept}e${exponent}`;
}
