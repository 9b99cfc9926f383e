/**
 * A bundle of edge-experts in a browser: routes an input and loads only the expert that it needs.
 *
 *     import { open } from "./edge-experts.js";
 *     const bundle = await open("./bundle/");
 *     const answer = await bundle.predict("a film to remember");
 */
import { BundleError, UsageError } from "./edge-experts/errors.js";
import { restore } from "./edge-experts/features/kinds.js";
import { WindowCutter } from "./edge-experts/features/sensor_stream.js";
import { checkGolden } from "./edge-experts/golden.js";
import { LIMITS } from "./edge-experts/limits.js";
import { parseManifest } from "./edge-experts/manifest.js";
import { Model, loadInterpreter, mustFit } from "./edge-experts/models.js";
import { readArrays } from "./edge-experts/npz.js";
import { Residency } from "./edge-experts/residency.js";
import { RoutedOnce } from "./edge-experts/routed_once.js";
import { subtle } from "./edge-experts/sha256.js";
import { checkSignature } from "./edge-experts/signature.js";
import { Store } from "./edge-experts/store.js";
import { openTask } from "./edge-experts/tasks/tasks.js";

export * from "./edge-experts/errors.js";

const OPTIONS = ["memoryBudget", "cache", "publicKey", "strict", "retryAfter", "litert"];

/**
 * Opens a bundle: fetches and checks its manifest, features and router, never an expert.
 *
 * @param {string|URL} url The bundle's folder.
 * @param {object} [options]
 * @param {number|null} [options.memoryBudget] Bytes for the router and the experts in memory, by the
 *   manifest's costs; null keeps every expert that was used.
 * @param {boolean} [options.cache] False to keep no file in the browser's cache.
 * @param {string|null} [options.publicKey] PEM text of a key that must have signed the bundle.
 * @param {boolean} [options.strict] True to raise if an expert cannot be used, instead of a fallback.
 * @param {number} [options.retryAfter] Seconds until an expert that failed is tried again.
 * @param {string|URL} [options.litert] The folder of LiteRT.js; beside this module by default.
 * @returns {Promise<Bundle>}
 * @throws {EdgeExpertsError} See errors.js.
 */
export async function open(url, options = {}) {
  const unknown = Object.keys(options).filter((name) => !OPTIONS.includes(name));
  if (unknown.length > 0) throw new UsageError(`option ${unknown.join(", ")} is none of ${OPTIONS.join(", ")}`);
  const { memoryBudget = null, cache = true, publicKey = null, strict = false, retryAfter = 60 } = options;
  if (memoryBudget !== null && !(Number.isFinite(memoryBudget) && memoryBudget > 0)) {
    throw new UsageError(`memoryBudget must be a number of bytes above 0, got ${memoryBudget}`);
  }
  subtle(); // says so before anything is fetched
  const base = folder(url, globalThis.document?.baseURI ?? globalThis.location?.href);
  const store = new Store(base, cache);
  const loading = loadInterpreter(folder(options.litert ?? new URL("./litert/", import.meta.url)));
  loading.catch(() => {}); // awaited below; a damaged bundle is told first
  const { raw, signature } = await store.manifest({ signed: publicKey !== null });
  const where = `${base}manifest.json`;
  if (publicKey !== null) await checkSignature(raw, signature, publicKey, where);
  const manifest = await parseManifest(raw, where);
  const task = openTask(manifest, where);
  const [arrays, routerFile] = await Promise.all([
    manifest.features.file === null ? new Map() : arraysOf(store, manifest.features.file),
    manifest.router === null ? null : store.file(manifest.router),
  ]);
  const features = restore(manifest.features, arrays, where);
  const litert = await loading;
  const openModel = async (entry, content, given, outputs, what) => {
    const model = await Model.open(litert, content, base + entry.path);
    try {
      mustFit(model, given, outputs, what);
    } catch (error) {
      model.delete();
      throw error;
    }
    return model;
  };
  const given = { ...features.shapes };
  const experts = new Residency({
    costs: manifest.experts.map((entry) => entry.residentBytes),
    beside: manifest.router?.residentBytes ?? 0,
    budget: memoryBudget,
    allMustFit: strict || manifest.combine === "sum",
    retryAfter: strict ? 0 : retryAfter * 1000,
    load: async (index) => {
      const entry = manifest.experts[index];
      return openModel(entry, await store.file(entry), given, manifest.labels.length, task.labelsAre);
    },
  });
  const router =
    routerFile === null
      ? null
      : await openModel(manifest.router, routerFile, { ...given }, manifest.experts.length, "experts");
  if (router?.outputs.length > 1) given.trunk = router.outputs[1];
  const files = [manifest.router, manifest.features.file, ...manifest.experts, manifest.golden];
  await store.keep(raw, signature, files.filter((entry) => entry !== null));
  return new Bundle(store, new RoutedOnce({ manifest, features, task, router, experts, strict }));
}

/** An opened bundle. Questions are answered one after the other. */
export class Bundle {
  #store;
  #loop;
  #last = Promise.resolve();
  #closed = false;

  /** Use `open`. */
  constructor(store, loop) {
    this.#store = store;
    this.#loop = loop;
  }

  /** Name, version, task, labels, number of experts, digest, and description of the inputs. */
  get info() {
    const { name, bundleVersion, task, labels, experts, digest } = this.#loop.manifest;
    const input = this.#loop.features.description;
    return { name, version: bundleVersion, task, labels, experts: experts.length, digest, input };
  }

  /** Files that were read so far: path, bytes and source ("network" or "cache"). */
  get traffic() {
    return [...this.#store.traffic];
  }

  /** Experts in memory, the least recently used first. */
  get resident() {
    return [...this.#loop.experts.models.keys()];
  }

  /** Loads and evictions of experts since the bundle was opened. */
  get counts() {
    const { loads, evictions } = this.#loop.experts;
    return { loads, evictions };
  }

  /**
   * Answers one example.
   *
   * @param {*} example A text; an object of columns; nested lists, a typed array or {data, shape}.
   * @throws {UsageError} It does not fit the features, or the bundle is closed.
   * @throws {EdgeExpertsError} No expert can be used; with `strict`, one that is needed cannot.
   */
  predict(example) {
    return this.#inTurn(() => this.#loop.run(example));
  }

  /**
   * Converts an example to the arrays that router and experts take.
   *
   * @returns {Object<string, Float32Array|Int32Array>}
   * @throws {UsageError} It does not fit the features.
   */
  encode(example) {
    return this.#loop.features.encode(example);
  }

  /**
   * Cuts rows of sensors into windows, as `edge-experts run --stream` does; for bundles of recordings.
   *
   * @returns {WindowCutter} Its `push(row, time)` returns the windows that a row completes.
   * @throws {UsageError} The bundle was not trained on recordings.
   */
  windows() {
    const { stream, shape } = this.#loop.features;
    if (!stream) throw new UsageError("windows() is for bundles of recordings (train --window)");
    return new WindowCutter(stream, shape[0]);
  }

  /**
   * Answers the golden examples that the bundle was published with, and compares the answers.
   *
   * @returns {Promise<number>} The number of examples.
   * @throws {GoldenError} Features or answers differ in this browser.
   */
  verify() {
    return this.#inTurn(async () => {
      const { golden } = this.#loop.manifest;
      return checkGolden(await arraysOf(this.#store, golden), this.#loop, this.#store.base + golden.path);
    });
  }

  /** Evicts all experts; the next answer loads the expert that it needs. */
  release() {
    return this.#inTurn(async () => this.#loop.experts.release());
  }

  /** Frees the router and the experts; the bundle then refuses inputs. */
  close() {
    return this.#inTurn(async () => {
      this.#closed = true;
      this.#loop.experts.release();
      this.#loop.router?.delete();
    });
  }

  #inTurn(action) {
    const turn = this.#last.then(() => {
      if (this.#closed) throw new UsageError("the bundle is closed");
      return action();
    });
    this.#last = turn.catch(() => {});
    return turn;
  }
}

async function arraysOf(store, entry) {
  if (entry.bytes > LIMITS.array_file_bytes) {
    throw new BundleError(`${store.base}${entry.path}: larger than ${LIMITS.array_file_bytes} bytes`);
  }
  const content = await store.file(entry);
  try {
    return await readArrays(content);
  } catch (error) {
    throw new BundleError(`${store.base}${entry.path}: not an .npz of plain arrays: ${error.message}`);
  }
}

function folder(url, base) {
  const found = new URL(url, base);
  found.hash = "";
  found.search = "";
  if (!found.pathname.endsWith("/")) found.pathname += "/";
  return found.href;
}
