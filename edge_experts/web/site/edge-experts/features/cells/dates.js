/** Dates and times as numbers: `features/cells/dates.py` in JavaScript. */
import { strip } from "../../python_text.js";

const CLOCK = "(?<hour>\\d\\d?):(?<minute>\\d\\d)(?::(?<second>\\d\\d)(?:[.,](?<part>\\d{1,9}))?)?";
const HALF = "(?: ?(?<half>[ap])\\.?m\\.?)?";
const ZONE = "(?: ?(?<zone>z|utc|gmt|[+-]\\d\\d:?(?:\\d\\d)?))?";
const TIME = `${CLOCK}${HALF}${ZONE}`;
const AFTER = `(?:,? +${TIME})?`;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const MONTH = `(?<name>${MONTHS.join("|")})[a-z]*\\.?`;
const FORMS = [
  `(?<year>\\d{4})[-/.](?<month>\\d\\d?)[-/.](?<day>\\d\\d?)(?:(?:[t_]| +)${TIME})?`,
  "(?<year>\\d{4})[-/](?<month>\\d\\d?)",
  `(?<year>\\d{4})(?<month>\\d\\d)(?<day>\\d\\d)t(?<hour>\\d\\d)(?<minute>\\d\\d)(?<second>\\d\\d)?${ZONE}`,
  `(?<first>\\d\\d?)(?<mark>[./-])(?<next>\\d\\d?)[./-](?<year>\\d{4}|\\d\\d)${AFTER}`,
  `(?:[a-z]{3,9},? )?(?<day>\\d\\d?)\\.?[ -]${MONTH}[ ,-]+(?<year>\\d{4})${AFTER}`,
  `(?:[a-z]{3,9},? )?${MONTH} (?<day>\\d\\d?),? (?<year>\\d{4})${AFTER}`,
  TIME,
].map((form) => new RegExp(`^(?:${form})$`, "i"));
const DIGITS = /^[+-]?\d*[.,]?\d*$/;
const DAY = /^(?:19|20)\d{6}$/;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Reads a date as seconds since 1970, or a time as seconds since midnight; null for others.
 *
 * @param {boolean} monthFirst True if 3/4/2024 is in March.
 */
export function moment(text, monthFirst) {
  const plain = strip(text);
  const day = DAY.test(plain) ? `${plain.slice(0, 4)}-${plain.slice(4, 6)}-${plain.slice(6)}` : plain;
  const found = parts(day);
  return found === null ? null : seconds(found, monthFirst);
}

function parts(text) {
  if (text.length < 4 || text.length > 40 || DIGITS.test(text)) return null;
  for (const form of FORMS) {
    const match = form.exec(text);
    if (match === null) continue;
    const found = Object.fromEntries(Object.entries(match.groups).filter(([, part]) => part));
    // While the order of day and month is unknown, either is accepted.
    const orders = found.first === undefined ? [false] : [false, true];
    if (orders.some((order) => seconds(found, order) !== null)) return found;
  }
  return null;
}

function seconds(found, monthFirst) {
  let year = Number(found.year ?? "1970");
  if ((found.year ?? "").length === 2) year += year < 70 ? 2000 : 1900;
  let [month, day] = [Number(found.month ?? 1), Number(found.day ?? 1)];
  if (found.name !== undefined) month = MONTHS.indexOf(found.name.toLowerCase()) + 1;
  if (found.first !== undefined) {
    [day, month] = [Number(found.first), Number(found.next)];
    if (monthFirst) [day, month] = [month, day];
  }
  let hour = Number(found.hour ?? 0);
  if (found.half !== undefined) {
    if (hour < 1 || hour > 12) return null;
    hour = (hour % 12) + (found.half.toLowerCase() === "p" ? 12 : 0);
  }
  const [minute, second] = [Number(found.minute ?? 0), Number(found.second ?? 0)];
  if (hour > 23 || minute > 59 || second > 59 || !exists(year, month, day)) return null;
  let whole = days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
  const zone = /^([+-])(\d\d):?(\d\d)?$/.exec(found.zone ?? "");
  if (zone !== null) {
    const away = Number(zone[2]) * 3600 + Number(zone[3] ?? 0) * 60;
    whole -= zone[1] === "+" ? away : -away;
  }
  return whole + Number(`0.${found.part ?? "0"}`);
}

function exists(year, month, day) {
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day <= MONTH_DAYS[month - 1] + (month === 2 && isLeap ? 1 : 0);
}

function days(year, month, day) {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day); // Date.UTC takes years below 100 for 19xx
  return date.getTime() / 86_400_000;
}
