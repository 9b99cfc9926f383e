/** WAV files to samples of 16 bits in one channel, as Python reads them: `edge_experts/features/wav_files.py`. */
import { UsageError } from "../errors.js";
import { LIMITS } from "../limits.js";
import { rounded } from "./exact_math.js";

const [PCM, FLOAT, EXTENSIBLE] = [1, 3, 0xfffe];
const BITS = "PCM of 8, 16, 24 or 32 bits, or float of 32 or 64 bits";
// A sample of each kind and number of bits, as a whole number of 16 bits.
const READERS = new Map([
  [`${PCM} 8`, (view, at) => (view.getUint8(at) - 128) * 256],
  [`${PCM} 16`, (view, at) => view.getInt16(at, true)],
  [`${PCM} 24`, (view, at) => narrowed(view.getUint16(at, true) * 2 ** 8 + view.getInt8(at + 2) * 2 ** 24)],
  [`${PCM} 32`, (view, at) => narrowed(view.getInt32(at, true))],
  [`${FLOAT} 32`, (view, at) => sixteenBits(view.getFloat32(at, true))],
  [`${FLOAT} 64`, (view, at) => sixteenBits(view.getFloat64(at, true))],
]);

/** Converts a number from -1 to 1 to a whole one of 16 bits. */
export function sixteenBits(value) {
  if (!Number.isFinite(value)) throw new UsageError("x: has samples that are NaN or infinite; repair it");
  return Math.min(Math.max(rounded(Math.min(Math.max(value, -2), 2) * 2 ** 15), -32768), 32767);
}

/**
 * Decodes a WAV file.
 *
 * @param {ArrayBuffer} content
 * @returns {{samples: Int16Array, rate: number}} The mean of the channels.
 * @throws {UsageError} It is no WAV file, has no samples, or more than the limit.
 */
export function decodeWav(content) {
  const view = new DataView(content);
  if (content.byteLength === 0) throw new UsageError("x: is empty");
  if (content.byteLength < 12 || word(view, 0) !== "RIFF" || word(view, 8) !== "WAVE") {
    throw new UsageError("x: not a WAV file");
  }
  const { format, start, size } = header(view);
  const { read, channels, frame, rate } = format;
  const count = Math.floor(Math.min(size ?? Infinity, view.byteLength - start) / frame);
  if (count === 0) throw new UsageError("x: has no samples");
  if (count > LIMITS.sound_samples) {
    throw new UsageError(`x: has more than ${LIMITS.sound_samples} samples; cut it`);
  }
  const bytes = frame / channels;
  const samples = new Int16Array(count);
  for (let place = 0; place < count; place += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1) sum += read(view, start + place * frame + channel * bytes);
    samples[place] = channels === 1 ? sum : Math.floor((2 * sum + channels) / (2 * channels));
  }
  return { samples, rate };
}

/** Reads up to the samples; a size of undefined is up to the end, as of a stream that was kept. */
function header(view) {
  let [at, format] = [12, null];
  while (at + 8 <= view.byteLength) {
    const [name, size] = [word(view, at), view.getUint32(at + 4, true)];
    at += 8;
    if (name === "data") {
      if (format === null) throw new UsageError("x: a WAV file without a format (chunk fmt)");
      return { format, start: at, size: size > 0 && size < 2 ** 31 - 2 ** 16 ? size : undefined };
    }
    if (name === "fmt ") format = formatAt(view, at, size);
    at += size + (size % 2);
  }
  throw new UsageError("x: a WAV file without samples");
}

function formatAt(view, at, size) {
  if (size < 16 || size > 1024 || at + 16 > view.byteLength) {
    throw new UsageError("x: the format (chunk fmt) of the WAV file is damaged");
  }
  let kind = view.getUint16(at, true);
  if (kind === EXTENSIBLE && size >= 40 && at + 40 <= view.byteLength) kind = view.getUint16(at + 24, true);
  const [channels, rate] = [view.getUint16(at + 2, true), view.getUint32(at + 4, true)];
  const [frame, bits] = [view.getUint16(at + 12, true), view.getUint16(at + 14, true)];
  const read = READERS.get(`${kind} ${bits}`);
  if (read === undefined) throw new UsageError(`x: a WAV file of ${bits} bits of format ${kind}; convert it to ${BITS}`);
  if (channels < 1 || channels > LIMITS.sound_channels) {
    throw new UsageError(`x: has ${channels} channels; 1 to ${LIMITS.sound_channels} are read`);
  }
  if (rate < 1000 || rate > LIMITS.sound_rate) {
    throw new UsageError(`x: has ${rate} samples a second; 1000 to ${LIMITS.sound_rate} are read`);
  }
  if (frame !== (channels * bits) / 8) throw new UsageError("x: the header states frames of another size; it is damaged");
  return { read, channels, rate, frame };
}

function narrowed(wide) {
  return Math.min(Math.floor((wide + 2 ** 15) / 2 ** 16), 32767);
}

function word(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((place) => view.getUint8(at + place)));
}
