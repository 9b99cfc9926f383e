import { UsageError } from "./errors.js";

/** Computes the SHA-256 of bytes, as 64 digits. */
export async function sha256(bytes) {
  const digest = new Uint8Array(await subtle().digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns the browser's cryptography, which only secure origins have. */
export function subtle() {
  if (globalThis.crypto?.subtle === undefined) {
    throw new UsageError(
      "this page has an insecure origin, where the browser computes no checksums: serve it by https " +
        "(or from localhost)",
    );
  }
  return globalThis.crypto.subtle;
}
