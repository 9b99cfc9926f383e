/** Arithmetic modulo 2**64 in halves of 32 bits; BigInt is ten times slower. */

const MIX = 0xd6e8feb86659fd93n;
const [MIX_HIGH, MIX_LOW] = [Number(MIX >> 32n), Number(MIX & 0xffffffffn)];

/** Multiplies the low 32 bits of two numbers; returns the upper half of the product. */
function upper(one, other) {
  const [a, b, c, d] = [one >>> 16, one & 0xffff, other >>> 16, other & 0xffff];
  const middle = a * d + ((b * d) >>> 16);
  const rest = (middle & 0xffff) + b * c;
  return (a * c + Math.floor(middle / 65536) + Math.floor(rest / 65536)) >>> 0;
}

function multiply(high, low, otherHigh, otherLow) {
  const top = upper(low, otherLow) + Math.imul(high, otherLow) + Math.imul(low, otherHigh);
  return [top >>> 0, Math.imul(low, otherLow) >>> 0];
}

export const Wide = {
  /** Computes base**0 ... base**(count-1): their upper and lower halves. */
  powers(base, count) {
    const made = { high: new Uint32Array(count), low: new Uint32Array(count) };
    const halves = [Number(base >> 32n), Number(base & 0xffffffffn)];
    let [high, low] = [0, 1];
    for (let place = 0; place < count; place += 1) {
      made.high[place] = high;
      made.low[place] = low;
      [high, low] = multiply(high, low, ...halves);
    }
    return made;
  },

  /** Computes sums of (code + 1) * power up to each place, the first of which is 0. */
  prefixSums(codes, powers) {
    const sums = { high: new Uint32Array(codes.length + 1), low: new Uint32Array(codes.length + 1) };
    codes.forEach((code, place) => {
      const [high, low] = multiply(0, code + 1, powers.high[place], powers.low[place]);
      const total = sums.low[place] + low;
      sums.low[place + 1] = total;
      sums.high[place + 1] = sums.high[place] + high + (total > 0xffffffff ? 1 : 0);
    });
    return sums;
  },

  /** Hashes the codes from start to end: ((sum * inverse) ^ itself >> 29) * MIX. */
  hash(sums, start, end, inverses) {
    const borrow = sums.low[end] < sums.low[start] ? 1 : 0;
    const low = (sums.low[end] - sums.low[start]) >>> 0;
    const high = (sums.high[end] - sums.high[start] - borrow) >>> 0;
    const [top, bottom] = multiply(high, low, inverses.high[start], inverses.low[start]);
    const mixedLow = (bottom ^ ((top << 3) | (bottom >>> 29))) >>> 0;
    const mixedHigh = (top ^ (top >>> 29)) >>> 0;
    return multiply(mixedHigh, mixedLow, MIX_HIGH, MIX_LOW);
  },
};
