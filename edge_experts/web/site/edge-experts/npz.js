/** Arrays of .npz files, in bounded memory: `edge_experts/format/npz.py` in a browser. */
import { LIMITS } from "./limits.js";

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;
const KINDS = {
  "|b1": [1, (view, at) => view.getUint8(at), "bool"],
  "|u1": [1, (view, at) => view.getUint8(at), "uint8"],
  "|i1": [1, (view, at) => view.getInt8(at), "int8"],
  "<u2": [2, (view, at) => view.getUint16(at, true), "uint16"],
  "<i2": [2, (view, at) => view.getInt16(at, true), "int16"],
  "<u4": [4, (view, at) => view.getUint32(at, true), "uint32"],
  "<i4": [4, (view, at) => view.getInt32(at, true), "int32"],
  "<u8": [8, (view, at) => Number(view.getBigUint64(at, true)), "uint64"],
  "<i8": [8, (view, at) => Number(view.getBigInt64(at, true)), "int64"],
  "<f2": [2, (view, at) => half(view.getUint16(at, true)), "float16"],
  "<f4": [4, (view, at) => view.getFloat32(at, true), "float32"],
  "<f8": [8, (view, at) => view.getFloat64(at, true), "float64"],
};

/**
 * Reads the arrays of an .npz file.
 *
 * @returns {Promise<Map<string, {shape: number[], dtype: string, data: Float64Array|Float32Array}>>}
 *   Numbers in C order; types of at most 32 bits other than integers are Float32Array.
 * @throws {Error} It is not an .npz file, contains anything but numbers, or exceeds a limit.
 */
export async function readArrays(content) {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const arrays = new Map();
  let left = LIMITS.array_bytes;
  for (const entry of entries(view)) {
    const raw = await member(content, view, entry, left);
    left -= raw.length;
    arrays.set(entry.name.replace(/\.npy$/, ""), array(raw));
  }
  return arrays;
}

function entries(view) {
  const end = endOfDirectory(view);
  const count = view.getUint16(end + 10, true);
  if (count > LIMITS.arrays) throw new Error(`more than ${LIMITS.arrays} entries`);
  const found = [];
  let at = view.getUint32(end + 16, true);
  for (let index = 0; index < count; index += 1) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error("its directory is damaged");
    const [name, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    found.push({
      method: view.getUint16(at + 10, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
      name: new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, name)),
    });
    at += 46 + name + extra + comment;
  }
  return found;
}

function endOfDirectory(view) {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 22 - 65_535); at -= 1) {
    if (view.getUint32(at, true) === END) return at;
  }
  throw new Error("not a zip file");
}

async function member(content, view, entry, most) {
  if (entry.size > most) throw new Error(`${entry.name.slice(0, 80)} is larger than ${most} bytes`);
  if (view.getUint32(entry.offset, true) !== LOCAL) throw new Error("a member's header is damaged");
  const skip = 30 + view.getUint16(entry.offset + 26, true) + view.getUint16(entry.offset + 28, true);
  const start = entry.offset + skip;
  const packed = content.subarray(start, start + entry.packed);
  if (packed.length !== entry.packed) throw new Error("a member is truncated");
  const raw = entry.method === DEFLATED ? await inflated(packed, entry.size) : packed;
  if ((entry.method !== STORED && entry.method !== DEFLATED) || raw.length !== entry.size) {
    throw new Error(`${entry.name.slice(0, 80)} has another size than it claims`);
  }
  return raw;
}

async function inflated(packed, size) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const made = new Uint8Array(size);
  let filled = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return made.subarray(0, filled);
    if (filled + value.length > size) {
      await reader.cancel();
      throw new Error("a member has another size than it claims");
    }
    made.set(value, filled);
    filled += value.length;
  }
}

function array(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const magic = String.fromCharCode(...raw.subarray(1, 6));
  const major = raw[6];
  if (raw[0] !== 0x93 || magic !== "NUMPY" || (major !== 1 && major !== 2) || raw[7] !== 0) {
    throw new Error("an array's header cannot be read");
  }
  const begin = major === 1 ? 10 : 12;
  const headed = begin + (major === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = new TextDecoder("latin1").decode(raw.subarray(begin, headed));
  const kind = /'descr': '([^']*)'/.exec(header)?.[1] ?? "";
  const axes = /'shape': \(([0-9, ]*)\)/.exec(header)?.[1];
  if (axes === undefined) throw new Error("an array's header cannot be read");
  if (!Object.hasOwn(KINDS, kind)) throw new Error(`an array of ${kind.slice(0, 40)} must contain numbers only`);
  const shape = axes.split(",").filter((axis) => axis.trim() !== "").map(Number);
  if (shape.length > LIMITS.tensor_rank) throw new Error(`an array of more than ${LIMITS.tensor_rank} dimensions`);
  const count = shape.reduce((product, axis) => product * axis, 1);
  const [width, get, dtype] = KINDS[kind];
  if (count * width !== raw.length - headed) {
    throw new Error(`an array of shape (${axes.slice(0, 80)}) has another number of bytes`);
  }
  const data = dtype === "float32" || dtype === "float16" ? new Float32Array(count) : new Float64Array(count);
  for (let place = 0; place < count; place += 1) data[place] = get(view, headed + place * width);
  const fortran = /'fortran_order': True/.test(header) && shape.length > 1;
  return { shape, dtype, data: fortran ? inRows(data, shape) : data };
}

/** Reorders numbers whose first axis varies fastest, so that the last one does. */
function inRows(data, shape) {
  const made = new data.constructor(data.length);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  for (let place = 0; place < data.length; place += 1) {
    let rest = place;
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      from += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    made[place] = data[from];
  }
  return made;
}

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
