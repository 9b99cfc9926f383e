/** Errors, one class per cause, with the names that the Python package gives them. */

export class EdgeExpertsError extends Error {
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

/** An input or an option is invalid. */
export class UsageError extends EdgeExpertsError {}

/** The bundle or one of its files must not be used. */
export class BundleError extends EdgeExpertsError {}

/** The manifest is missing, is not JSON, or has an invalid field. */
export class ManifestError extends BundleError {}

/** The bundle has a format version that this version does not support. */
export class FormatVersionError extends BundleError {}

/** A file is missing, or its length or SHA-256 differs from the manifest. */
export class DigestError extends BundleError {}

/** The interpreter rejects a model, or a model does not match its manifest. */
export class ModelError extends BundleError {}

/** The bundle has no valid signature of a trusted key. */
export class SignatureError extends BundleError {}

/** The golden examples have other answers in this browser than when published. */
export class GoldenError extends BundleError {}

/** The bundle's task or kind of features is not supported in a browser. */
export class UnsupportedError extends EdgeExpertsError {}

/** A memory budget does not hold the router and an expert. */
export class MemoryBudgetError extends EdgeExpertsError {}

/** The network failed, and the cache does not have the file. */
export class NetworkError extends EdgeExpertsError {}

/** True for errors that make one expert unusable and do not concern the others. */
export function isUnavailable(error) {
  return [BundleError, NetworkError, MemoryBudgetError].some((kind) => error instanceof kind);
}
