/** A bundle of edge-experts in a browser; see edge-experts.js. */

export interface OpenOptions {
  /** Bytes for the router and the experts in memory; null, the default, keeps every expert that was used. */
  memoryBudget?: number | null;
  /** False to keep no file in the browser's cache. */
  cache?: boolean;
  /** PEM text of a public key that must have signed the bundle. */
  publicKey?: string | null;
  /** True to raise if an expert cannot be used, instead of a fallback. */
  strict?: boolean;
  /** Seconds until an expert that failed is tried again; 60 by default. */
  retryAfter?: number;
  /** The folder of LiteRT.js; `litert/` beside the module by default. */
  litert?: string | URL;
}

export type Numbers =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** Nested lists of numbers, whose nulls are gaps. */
export type Lists = (number | boolean | null | Lists)[];

/** A text; a row of a table; or an array. */
export type Example =
  | string
  | Record<string, string | number | boolean | null>
  | Lists
  | Numbers
  | { data: Numbers; shape: number[] };

export interface Timings {
  features_us: number;
  route_us: number;
  load_us: number;
  invoke_us: number;
}

export interface Answer {
  /** The most probable label, even if the model abstains or does not answer it; of regression the first output's name. */
  label: string;
  score: number;
  /** Probability of each label, or standardized outputs of regression. */
  scores: number[];
  /** Of several labels (multi-label): those from their thresholds on, the most probable first. */
  labels?: string[];
  /** Of several labels: the threshold of each one, in the order of `scores`. */
  thresholds?: number[];
  /** Of regression: the value of each output in the data's units. */
  values?: Record<string, number>;
  /** The first expert that answered; -1 if all are summed. */
  expert: number;
  experts: number[];
  abstained: boolean;
  /** True if an expert that the router chose could not be used; `reason` has the cause. */
  degraded: boolean;
  reason: string | null;
  /** Sentences about the input for the user. */
  warnings: string[];
  timings: Timings;
}

export interface ColumnDescription {
  name: string;
  type: "number" | "date" | "boolean" | "category";
  values?: string[];
  range?: [number, number] | null;
  example?: string;
  unit?: string;
}

export type InputDescription =
  | { kind: "text"; characters: number }
  | { kind: "table"; columns: ColumnDescription[] }
  | { kind: "sound"; rate: number; samples: number; seconds: number }
  | { kind: "array" | "image" | "window"; shape: number[]; range: [number, number] | null; stream?: StreamDescription };

export interface StreamDescription {
  channels: string[];
  stride: number;
  time: string | null;
  interval: number | null;
}

/** Cuts rows of sensors into windows, as `edge-experts run --stream` does. */
export interface WindowCutter {
  /** Returns the windows that a row completes, examples for `predict`; throws UsageError for a time that goes back. */
  push(row: ArrayLike<number | null>, time?: number | null): { data: Float32Array; shape: number[] }[];
  restart(): void;
}

export interface Info {
  name: string;
  version: number;
  task: string;
  labels: string[];
  experts: number;
  digest: string;
  input: InputDescription;
}

export interface ReadFile {
  path: string;
  bytes: number;
  source: "network" | "cache";
}

export class Bundle {
  private constructor();
  readonly info: Info;
  /** Files that were read so far. */
  readonly traffic: ReadFile[];
  /** Experts in memory, the least recently used first. */
  readonly resident: number[];
  readonly counts: { loads: number; evictions: number };
  predict(example: Example): Promise<Answer>;
  /** For bundles of recordings (`train --window`). */
  windows(): WindowCutter;
  /** Arrays that router and experts take. */
  encode(example: Example): Record<string, Float32Array | Int32Array>;
  /** Answers the golden examples; resolves to their number. */
  verify(): Promise<number>;
  /** Evicts all experts. */
  release(): Promise<void>;
  /** Frees the router and the experts; the bundle then refuses inputs. */
  close(): Promise<void>;
}

/** Opens the bundle in a folder: its manifest, features and router, never an expert. */
export function open(url: string | URL, options?: OpenOptions): Promise<Bundle>;

export class EdgeExpertsError extends Error {}
export class UsageError extends EdgeExpertsError {}
export class BundleError extends EdgeExpertsError {}
export class ManifestError extends BundleError {}
export class FormatVersionError extends BundleError {}
export class DigestError extends BundleError {}
export class ModelError extends BundleError {}
export class SignatureError extends BundleError {}
export class GoldenError extends BundleError {}
export class UnsupportedError extends EdgeExpertsError {}
export class MemoryBudgetError extends EdgeExpertsError {}
export class NetworkError extends EdgeExpertsError {}
export function isUnavailable(error: unknown): boolean;
