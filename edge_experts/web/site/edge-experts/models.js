/** Models in LiteRT.js: checked bytes in, named arrays to rows of numbers. */
import { ModelError, NetworkError } from "./errors.js";
import { readPorts } from "./tflite.js";

const WASM = "litert_wasm_compat_internal.js";
const loading = new Map();
let told = ""; // the interpreter's last line about an error

/**
 * Loads LiteRT.js, once for all bundles of a page.
 *
 * @param {string} base URL of the folder with index.js and the WebAssembly files.
 */
export function loadInterpreter(base) {
  if (!loading.has(base)) loading.set(base, load(base));
  return loading.get(base);
}

async function load(base) {
  try {
    const litert = await import(/* webpackIgnore: true */ /* @vite-ignore */ `${base}index.js`);
    if (litert.getGlobalLiteRtPromise() === undefined) {
      // It tells its steps as errors of the console.
      globalThis.Module = { print() {}, printErr: hear };
      litert.loadLiteRt(`${base}${WASM}`);
    }
    await litert.getGlobalLiteRtPromise();
    return litert;
  } catch (error) {
    loading.delete(base);
    throw new NetworkError(`${base}: LiteRT.js cannot be loaded: ${error?.message ?? error}`);
  }
}

function hear(line) {
  if (line.startsWith("ERROR")) told = line.replace(/^ERROR: (\[[^\]]*\] )?/, "");
}

/** Formats a failure of the interpreter, with the line that it told before. */
function reason(error) {
  const found = `${error?.message ?? error}${told === "" ? "" : ` (${told})`}`;
  told = "";
  return found;
}

/** A model with fixed shapes: named arrays in, one row of float32 out, or two for some routers. */
export class Model {
  /**
   * Opens a model.
   *
   * @param {Uint8Array} content Bytes of a .tflite file, already checked against the manifest.
   * @throws {ModelError} The interpreter refuses the file.
   */
  static async open(litert, content, name) {
    const ports = readPorts(content, name);
    if (ports.outputs.length < 1 || ports.outputs.length > 2) {
      throw new ModelError(`${name}: must have one output or two, has ${ports.outputs.length}`);
    }
    try {
      const compiled = await litert.loadAndCompile(content, { accelerator: "wasm" });
      return new Model(litert, compiled, ports, name);
    } catch (error) {
      throw new ModelError(`${name}: LiteRT.js refuses it: ${reason(error)}`);
    }
  }

  constructor(litert, compiled, ports, name) {
    this.litert = litert;
    this.compiled = compiled;
    this.name = name;
    this.inputs = ports.inputs;
    this.outputs = ports.outputs;
    this.order = ports.order;
  }

  /**
   * Runs the model on one input.
   *
   * @param {Object<string, Float32Array|Int32Array>} arrays
   * @returns {Promise<Float32Array[]>} The outputs in the file's order.
   * @throws {ModelError} An operator fails.
   */
  async run(arrays) {
    const given = [];
    let made = [];
    try {
      for (const place of this.order.inputs) {
        const { name, shape } = this.inputs[place];
        given.push(new this.litert.Tensor(arrays[name], shape));
      }
      made = await this.compiled.run(given);
      const rows = new Array(made.length);
      made.forEach((tensor, index) => {
        rows[this.order.outputs[index]] = tensor.toTypedArray();
      });
      return rows;
    } catch (error) {
      throw new ModelError(`${this.name}: LiteRT.js cannot compute it: ${reason(error)}`);
    } finally {
      for (const tensor of [...given, ...made]) tensor.delete();
    }
  }

  delete() {
    this.compiled.delete();
  }
}

/**
 * Compares a model's inputs with the bundle's arrays, and its output with its size.
 *
 * @param {Object<string, {shape: number[], type: string}>} arrays
 * @throws {ModelError} An input or the output does not fit.
 */
export function mustFit(model, arrays, outputs, what) {
  for (const { name, shape, type } of model.inputs) {
    const expected = Object.hasOwn(arrays, name) ? arrays[name] : null;
    if (expected === null) {
      const known = Object.keys(arrays).sort().join(", ");
      throw new ModelError(`${model.name}: input '${name.slice(0, 80)}' is not in its bundle, which has ${known}`);
    }
    if (String(shape) !== String(expected.shape) || type !== expected.type) {
      throw new ModelError(
        `${model.name}: '${name}' must be ${expected.type} of the shape (${expected.shape}), is ${type} (${shape})`,
      );
    }
  }
  const { shape, type } = model.outputs[0];
  if (type !== "float32" || String(shape) !== String([1, outputs])) {
    throw new ModelError(
      `${model.name}: its output must have the shape (1,${outputs}), one real number for each of the ` +
        `${what}; it is ${type} (${shape})`,
    );
  }
}
