/**
 * Inputs and outputs of a TFLite file, read from its FlatBuffer.
 *
 * LiteRT.js lists a signature's tensors in the signature's order, and says nothing of quantization or
 * state; the order of the outputs and these two matter here. Schema:
 * https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs
 */
import { ModelError } from "./errors.js";
import { LIMITS } from "./limits.js";

const TYPES = ["float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8"];
// (UNIDIRECTIONAL, BIDIRECTIONAL)_SEQUENCE_(RNN, LSTM), LSTM, RNN, SVDF and VAR_HANDLE.
const STATEFUL = new Set([16, 24, 27, 35, 44, 46, 52, 142]);

/**
 * Reads the ports of a model's first subgraph.
 *
 * @returns {{inputs: object[], outputs: object[], order: {inputs: number[], outputs: number[]}}} Name,
 *   shape and type of each tensor, in the subgraph's order; and the places in it of the tensors that
 *   the first signature lists.
 * @throws {ModelError} It is not a TFLite file, keeps a state, or has inputs or outputs that LiteRT.js
 *   cannot pass.
 */
export function readPorts(content, where) {
  let found;
  try {
    found = ports(new DataView(content.buffer, content.byteOffset, content.byteLength));
  } catch (error) {
    if (error instanceof RangeError) throw new ModelError(`${where}: not a TFLite file`);
    throw error;
  }
  if (found.remembers) {
    throw new ModelError(
      `${where}: a recurrent operator keeps its state between inputs, which LiteRT.js cannot reset; ` +
        "use the Python runtime",
    );
  }
  for (const port of [...found.inputs, ...found.outputs]) {
    if (port.quantized || !["float32", "int32"].includes(port.type)) {
      throw new ModelError(
        `${where}: ${port.name} is a tensor of ${port.type}${port.quantized ? ", quantized" : ""}, which ` +
          "LiteRT.js cannot pass; convert without --io integer",
      );
    }
  }
  return found;
}

function ports(view) {
  const model = root(view);
  const graph = tables(view, model, 2)[0];
  if (graph === undefined) throw new RangeError("no subgraph");
  const tensors = tables(view, graph, 0);
  const indices = [1, 2].map((field) => integers(view, graph, field));
  const [inputs, outputs] = indices.map((list) => list.map((index) => tensor(view, tensors[index])));
  const operators = tables(view, graph, 3).map((one) => number(view, one, 0, "getUint32", 0));
  const codes = tables(view, model, 1).map((one) =>
    Math.max(number(view, one, 0, "getInt8", 0), number(view, one, 3, "getInt32", 0)),
  );
  const signature = tables(view, model, 7)[0];
  const order = signature === undefined
    ? { inputs: inputs.map((_, place) => place), outputs: outputs.map((_, place) => place) }
    : { inputs: places(view, signature, 0, indices[0]), outputs: places(view, signature, 1, indices[1]) };
  return { inputs, outputs, order, remembers: operators.some((index) => STATEFUL.has(codes[index])) };
}

function places(view, signature, field, indices) {
  return tables(view, signature, field).map((map) => {
    const place = indices.indexOf(number(view, map, 1, "getUint32", 0));
    if (place < 0) throw new RangeError("a signature names another tensor");
    return place;
  });
}

function tensor(view, table) {
  if (table === undefined) throw new RangeError("no such tensor");
  const type = number(view, table, 1, "getInt8", 0);
  const quantization = at(view, table, 4);
  const scales = quantization === 0 ? [] : vector(view, indirect(view, quantization), 2);
  const name = text(view, table, 3);
  return {
    // As the network names it: 'serving_default_ids:0' to 'ids'.
    name: name.replace(/^serving_default_/, "").split(":")[0],
    shape: integers(view, table, 0),
    type: TYPES[type] ?? `type ${type}`,
    quantized: scales.length > 0,
  };
}

function root(view) {
  if (view.getUint32(4, false) !== 0x54464c33) throw new RangeError("not TFL3");
  return indirect(view, 0);
}

function indirect(view, place) {
  return place + view.getUint32(place, true);
}

/** Returns the place of a table's field; 0 where it has its default. */
function at(view, table, field) {
  const fields = table - view.getInt32(table, true);
  const offset = 4 + 2 * field;
  const within = offset < view.getUint16(fields, true) ? view.getUint16(fields + offset, true) : 0;
  return within === 0 ? 0 : table + within;
}

function number(view, table, field, getter, fallback) {
  const place = at(view, table, field);
  return place === 0 ? fallback : view[getter](place, true);
}

/** Returns the places of a vector's elements, each of 4 bytes. */
function vector(view, table, field) {
  const place = at(view, table, field);
  if (place === 0) return [];
  const start = indirect(view, place);
  const count = view.getUint32(start, true);
  if (count > LIMITS.values || start + 4 + 4 * count > view.byteLength) throw new RangeError("too long");
  return Array.from({ length: count }, (_, index) => start + 4 + 4 * index);
}

function tables(view, table, field) {
  return vector(view, table, field).map((place) => indirect(view, place));
}

function integers(view, table, field) {
  return vector(view, table, field).map((place) => view.getInt32(place, true));
}

function text(view, table, field) {
  const place = at(view, table, field);
  if (place === 0) return "";
  const start = indirect(view, place);
  const count = view.getUint32(start, true);
  if (start + 4 + count > view.byteLength) throw new RangeError("too long");
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + start + 4, count));
}
