/** Signatures of manifests: Ed25519 (RFC 8032), as `edge-experts sign` writes them. */
import { SignatureError, UsageError } from "./errors.js";
import { LIMITS } from "./limits.js";
import { subtle } from "./sha256.js";

/**
 * Checks that the owner of a key signed a manifest.
 *
 * @param {Uint8Array} raw Bytes of the manifest, not parsed yet.
 * @param {Uint8Array|null} signature Content of manifest.sig; null without one.
 * @param {string} publicKey PEM text of the .pub file of `edge-experts keygen`.
 * @throws {SignatureError} It is not signed by this key.
 * @throws {UsageError} The key is not one, or the browser has no Ed25519.
 */
export async function checkSignature(raw, signature, publicKey, where) {
  const key = await importKey(publicKey);
  if (signature === null) {
    throw new SignatureError(`${where}: not signed, and must be; \`edge-experts sign\` signs`);
  }
  const fits = signature.length === LIMITS.signature_bytes;
  if (!fits || !(await subtle().verify({ name: "Ed25519" }, key, signature, raw))) {
    throw new SignatureError(`${where}: not signed by the trusted key, or changed after signing`);
  }
}

async function importKey(publicKey) {
  const body = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(publicKey);
  if (body === null) {
    throw new UsageError("publicKey must be the text of the .pub file that `edge-experts keygen` wrote");
  }
  try {
    const bytes = Uint8Array.from(atob(body[1].replace(/\s/g, "")), (each) => each.charCodeAt(0));
    return await subtle().importKey("spki", bytes, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    throw new UsageError(
      `publicKey: not a key of Ed25519, or this browser does not have Ed25519 (${error.name})`,
    );
  }
}
