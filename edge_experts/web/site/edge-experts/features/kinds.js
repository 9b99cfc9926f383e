/** Kinds of features that a browser supports, by their names in the manifest. */
import { BundleError, UnsupportedError } from "../errors.js";
import { ArrayFeatures } from "./array.js";
import { SoundFeatures } from "./sound.js";
import { TableFeatures } from "./table.js";
import { TextFeatures } from "./text.js";

const KINDS = new Map([ArrayFeatures, SoundFeatures, TableFeatures, TextFeatures].map((kind) => [kind.kind, kind]));

/**
 * Restores the features of a bundle.
 *
 * @throws {UnsupportedError} A kind that needs the Python runtime.
 * @throws {BundleError} Settings or arrays that do not fit it.
 */
export function restore({ kind, config }, arrays, where) {
  const found = KINDS.get(kind);
  if (found === undefined) {
    throw new UnsupportedError(
      `${where}: features of kind '${kind}' are not supported in a browser, which has ${[...KINDS.keys()].join(", ")}; ` +
        "use the Python runtime",
    );
  }
  try {
    return new found(config, arrays);
  } catch (error) {
    throw new BundleError(`${where}: settings do not fit '${kind}': ${error.message}`);
  }
}
