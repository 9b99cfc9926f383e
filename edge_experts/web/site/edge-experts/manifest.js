/** Manifest of a bundle: every rule of `edge_experts/format/manifest_parser.py` that a browser needs. */
import { FormatVersionError, ManifestError, UnsupportedError } from "./errors.js";
import { LIMITS } from "./limits.js";
import { general, length, shown } from "./python_text.js";
import { sha256 } from "./sha256.js";
import { isFloat, parseJson } from "./strict_json.js";

const MAJOR_VERSIONS = ["1", "2"];
const AGAIN = "publish the bundle again, or convert again";
const DECEIVING = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\p{Cs}/u;

/**
 * Checks the bytes of a manifest.
 *
 * @returns {Promise<object>} name, bundleVersion, digest, features, labels, combine, topK,
 *   temperature, router, experts, golden, secondBelow, abstainBelow, task and taskConfig.
 * @throws {ManifestError} It is damaged, or breaks a rule.
 * @throws {FormatVersionError} It has a newer format.
 * @throws {UnsupportedError} Its task needs more than one routing per input.
 */
export async function parseManifest(raw, where) {
  if (raw.length > LIMITS.manifest_bytes) {
    throw new ManifestError(`${where}: larger than ${LIMITS.manifest_bytes} bytes`);
  }
  let parsed;
  try {
    parsed = parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw));
  } catch (error) {
    throw new ManifestError(`${where}: not a manifest: ${error.message}; ${AGAIN}`);
  }
  const reader = new Reader(parsed.value, where);
  const version = reader.text("format_version");
  const [major] = version.split(".");
  if (!MAJOR_VERSIONS.includes(major)) {
    throw new FormatVersionError(
      `${where}: format '${version}' is not 1.x or 2.x, which this version reads; export again ` +
        "with a newer edge-experts",
    );
  }
  const canonical = new TextEncoder().encode(parsed.canonical(["digest"]));
  if (reader.text("digest") !== `sha256:${await sha256(canonical)}`) {
    throw new ManifestError(`${where}: changed since it was published (its digest differs); ${AGAIN}`);
  }
  return read(reader, major);
}

function read(reader, major) {
  const features = reader.object("features");
  const config = features.object("config").content;
  if (major === "1" && Object.hasOwn(config, "contract")) {
    throw reader.error("features", "of format 1.x have no contract");
  }
  const experts = reader.objects("experts", 1, LIMITS.experts).map(file);
  const combine = reader.text("combine");
  if (combine !== "top" && combine !== "sum") {
    throw reader.error("combine", `must be top or sum, got ${shown(combine)}`);
  }
  const topK = reader.whole("top_k", 1);
  if (topK > experts.length) {
    throw reader.error("top_k", `must be at most ${experts.length} (the experts), got ${topK}`);
  }
  const router = optionalFile(reader, "router");
  if (router === null && combine === "top" && experts.length > 1) {
    refuseLayers(reader);
    throw reader.error("router", "is missing, and there is more than one expert to pick from");
  }
  if (router !== null && combine === "sum") {
    throw reader.error("router", "must be null where combine is sum");
  }
  const secondBelow = reader.optionalShare("second_below");
  if (secondBelow !== null && (router === null || experts.length < 2 || topK !== 1)) {
    throw reader.error("second_below", "needs a router, two experts or more, and top_k 1");
  }
  const spec = major === "1" || (reader.content.task_spec ?? null) === null ? null : reader.object("task_spec");
  refuseLayers(reader);
  const manifest = {
    name: reader.text("name"),
    bundleVersion: reader.whole("bundle_version", 1),
    digest: reader.text("digest"),
    features: { kind: features.text("kind"), config, file: optionalFile(features, "file") },
    labels: labels(reader),
    combine,
    topK,
    temperature: reader.number("temperature", LIMITS.least_temperature, LIMITS.largest_temperature),
    router,
    experts,
    golden: file(reader.object("golden")),
    secondBelow,
    abstainBelow: reader.optionalShare("abstain_below"),
    task: spec === null ? "classification" : spec.text("type"),
    taskConfig: spec === null ? Object.create(null) : spec.object("config").content,
  };
  const beside = [file(reader.object("model_card")), ...trainedRows(reader, major)];
  checkUnused(reader, experts.length);
  const files = [manifest.router, manifest.features.file, ...experts, manifest.golden, ...beside];
  refuseOverlaps(files.filter((entry) => entry !== null).map((entry) => entry.path.toLowerCase()), reader.where);
  return manifest;
}

/** Checks fields that a browser does not use, so that it refuses what Python refuses. */
function checkUnused(reader, experts) {
  reader.text("task");
  reader.object("verified_on");
  reader.object("provenance");
  if ((reader.content.reference ?? null) === null) return;
  const reference = reader.object("reference");
  const hasRouter = (reference.content.experts ?? null) !== null;
  for (const name of hasRouter ? ["score", "confidence", "entropy"] : ["score"]) {
    const histogram = reference.object(name);
    const edges = histogram.items("edges", 0, LIMITS.bins - 1);
    if (!edges.every((edge) => typeof edge === "number" && Math.abs(edge) < 1e9)) throw histogram.error("edges", "must be numbers");
    if (edges.some((edge, place) => place > 0 && edges[place - 1] >= edge)) {
      throw histogram.error("edges", "must ascend");
    }
    counts(histogram, "counts", edges.length + 1);
  }
  if (hasRouter) counts(reference, "experts", experts);
}

function counts(reader, key, length) {
  const found = reader.items(key, length, length);
  const isCount = (each, place) => Number.isSafeInteger(each) && each >= 0 && !isFloat(found, place);
  if (!found.every(isCount)) throw reader.error(key, "must be counts");
}

function trainedRows(reader, major) {
  if (major === "1" || (reader.content.trained_rows ?? null) === null) return [];
  return reader.objects("trained_rows", 0, LIMITS.trainings).map(file);
}

/** Refuses a path that is listed twice, or as the folder of another. */
function refuseOverlaps(paths, where) {
  const folders = new Set(
    paths.flatMap((path) => {
      const parts = path.split("/");
      return parts.slice(1).map((_, depth) => parts.slice(0, depth + 1).join("/"));
    }),
  );
  if (new Set(paths).size !== paths.length || paths.some((path) => folders.has(path))) {
    throw new ManifestError(`${where}: lists a file twice, or as a folder too`);
  }
}

function refuseLayers(reader) {
  for (const name of ["layers", "dense", "generation"]) {
    const found = reader.content[name] ?? null;
    if (found !== null && (name === "generation" || String(found) !== "")) {
      throw new UnsupportedError(
        `${reader.where}: ${name}: bundles that route an input more than once, or generate text, are ` +
          "not supported in a browser; use the Python runtime",
      );
    }
  }
}

function labels(reader) {
  const found = reader.items("labels", 1, LIMITS.labels);
  const seen = new Set();
  for (const label of found) {
    if (typeof label !== "string") throw reader.error("labels", "must be texts");
    const characters = length(label);
    if (characters === 0 || characters > LIMITS.label_characters) {
      throw reader.error("labels", `must be texts of 1 to ${LIMITS.label_characters} characters`);
    }
    if (DECEIVING.test(label)) {
      throw reader.error("labels", `must have no characters of control, got ${shown(label)}`);
    }
    seen.add(label.normalize("NFC"));
  }
  if (seen.size !== found.length) throw reader.error("labels", "must be different texts");
  return found;
}

function file(reader) {
  const path = reader.content.path;
  if (typeof path !== "string" || !staysInside(path)) {
    throw reader.error("path", `must stay inside the bundle, got ${shown(path)}`);
  }
  const [digest, crc] = [reader.text("sha256"), reader.text("crc32")];
  if (!/^[0-9a-f]{64}$/.test(digest) || !/^[0-9a-f]{8}$/.test(crc)) {
    throw reader.error("sha256", "or crc32 must be 64 or 8 digits, 0-9 and a-f");
  }
  if ((reader.content.arena_bytes ?? null) !== null) reader.whole("arena_bytes", 1);
  return {
    path,
    bytes: reader.whole("bytes", 0, LIMITS.file_bytes),
    sha256: digest,
    residentBytes: reader.whole("resident_bytes"),
  };
}

function optionalFile(reader, key) {
  return (reader.content[key] ?? null) === null ? null : file(reader.object(key));
}

function staysInside(path) {
  const parts = path.split("/");
  return (
    path.length > 0 &&
    path.length <= LIMITS.path_characters &&
    /^[ -~]+$/.test(path) &&
    !/[\\:]/.test(path) &&
    parts.every((part) => part !== "" && part !== "." && part !== "..") &&
    !["manifest.json", "manifest.sig"].includes(path.toLowerCase())
  );
}

/** Typed access to one object of the manifest; errors name the field. */
export class Reader {
  constructor(content, where) {
    if (content === null || typeof content !== "object" || Array.isArray(content)) {
      throw new ManifestError(`${where}: must be an object, got ${shown(content)}`);
    }
    this.content = content;
    this.where = where;
  }

  error(key, problem) {
    return new ManifestError(`${this.where}: ${key} ${problem}`);
  }

  text(key, most = LIMITS.name_characters) {
    const value = this.content[key];
    if (typeof value !== "string") throw this.error(key, `must be a text, got ${shown(value)}`);
    if (length(value) > most || DECEIVING.test(value)) {
      throw this.error(key, `must be at most ${most} characters, none of control, got ${shown(value)}`);
    }
    return value;
  }

  whole(key, least = 0, most = 2 ** 53) {
    const value = this.content[key];
    if (!Number.isInteger(value) || isFloat(this.content, key) || value < least || value > most) {
      throw this.error(key, `must be a whole number from ${least} to ${most}, got ${shown(value)}`);
    }
    return value;
  }

  number(key, least, most) {
    const value = this.content[key];
    if (typeof value !== "number" || !(value >= least && value <= most)) {
      throw this.error(
        key,
        `must be a number from ${general(least)} to ${general(most)}, got ${shown(value)}`,
      );
    }
    return value;
  }

  optionalShare(key) {
    return (this.content[key] ?? null) === null ? null : this.number(key, 0, 1);
  }

  items(key, least, most) {
    const value = this.content[key];
    if (!Array.isArray(value) || value.length < least || value.length > most) {
      throw this.error(key, `must be a list of ${least} to ${most}, got ${shown(value)}`);
    }
    return value;
  }

  object(key) {
    return new Reader(this.content[key] ?? null, `${this.where}: ${key}`);
  }

  objects(key, least, most) {
    return this.items(key, least, most).map((item, index) => new Reader(item, `${this.where}: ${key}[${index}]`));
  }
}
