/** Tasks that a browser supports, by their types in the manifest. */
import { UnsupportedError } from "../errors.js";
import { Classification } from "./classification.js";
import { MultiLabel } from "./multi_label.js";
import { Regression } from "./regression.js";

const TASKS = new Map([Classification, MultiLabel, Regression].map((task) => [task.type, task]));

/**
 * Creates the task of a bundle.
 *
 * @throws {UnsupportedError} A task that needs the Python runtime.
 * @throws {ManifestError} The manifest breaks a rule of the task.
 */
export function openTask(manifest, where) {
  const found = TASKS.get(manifest.task);
  if (found === undefined) {
    throw new UnsupportedError(
      `${where}: the task '${manifest.task}' is not supported in a browser, which has ${[...TASKS.keys()].join(", ")}; ` +
        "use the Python runtime",
    );
  }
  return new found(manifest, where);
}
