/** Files of a bundle: fetched, checked by SHA-256, and kept in the browser's cache by their digests. */
import { BundleError, DigestError, NetworkError } from "./errors.js";
import { LIMITS } from "./limits.js";
import { sha256 } from "./sha256.js";

const MANIFEST = "manifest.json";
const SIGNATURE = "manifest.sig";
const PATIENCE = 5000; // milliseconds for a network that does not answer, where the cache can

/**
 * Files of the bundle at a URL.
 *
 * Attributes: `traffic` has path, bytes and source ("network" or "cache") of each file that was read.
 */
export class Store {
  /**
   * @param {string} base URL of the bundle's folder, with a slash at its end.
   * @param {boolean} caching False to keep nothing.
   */
  constructor(base, caching) {
    this.base = base;
    this.caching = caching && globalThis.caches !== undefined;
    this.traffic = [];
  }

  /** Opens the bundle's cache; null where the browser has none, or refuses it. */
  async cache() {
    if (!this.caching) return null;
    try {
      return await caches.open(`edge-experts ${this.base}`);
    } catch {
      this.caching = false; // private windows of some browsers
      return null;
    }
  }

  /**
   * Fetches the manifest and its signature; without a network, those that `keep` kept.
   *
   * @returns {Promise<{raw: Uint8Array, signature: Uint8Array|null}>}
   */
  async manifest({ signed }) {
    const raw = await this.newest(MANIFEST, LIMITS.manifest_bytes);
    if (raw === null) {
      throw new BundleError(`${this.base}: not a bundle, it has no ${MANIFEST}; export the site again`);
    }
    return { raw, signature: signed ? await this.newest(SIGNATURE, LIMITS.signature_bytes) : null };
  }

  /** Keeps the manifest that was opened, and drops files that it does not list. */
  async keep(raw, signature, entries) {
    const cache = await this.cache();
    if (cache === null) return;
    const kept = new Set([this.base + MANIFEST, ...entries.map((entry) => this.key(entry))]);
    await this.put(cache, this.base + MANIFEST, raw);
    if (signature !== null) {
      kept.add(this.base + SIGNATURE);
      await this.put(cache, this.base + SIGNATURE, signature);
    }
    for (const request of await cache.keys()) {
      if (!kept.has(request.url)) await cache.delete(request);
    }
  }

  /**
   * Reads a file that the manifest lists.
   *
   * @returns {Promise<Uint8Array>} Bytes that have the manifest's length and SHA-256.
   * @throws {DigestError} The server's file differs.
   * @throws {NetworkError} It is neither in the cache nor reachable.
   */
  async file(entry) {
    const cache = await this.cache();
    const hit = await cache?.match(this.key(entry));
    if (hit !== undefined && hit !== null) {
      const content = await bounded(hit, entry.bytes);
      if (await isWhole(content, entry)) return this.counted(entry.path, content, "cache");
      await cache.delete(this.key(entry)); // damaged: fetched again
    }
    // A browser's own cache may still have the file of an earlier version.
    for (const mode of ["default", "reload"]) {
      const content = await this.fetched(entry.path, entry.bytes, mode);
      if (content === null) throw new DigestError(`${this.base}${entry.path}: missing; export the site again`);
      if (await isWhole(content, entry)) {
        if (cache !== null) await this.put(cache, this.key(entry), content);
        return this.counted(entry.path, content, "network");
      }
    }
    throw new DigestError(
      `${this.base}${entry.path}: damaged, or of another version (its SHA-256 differs from the ` +
        "manifest's); reload the page, or export the site again",
    );
  }

  key(entry) {
    return `${this.base}sha256/${entry.sha256}`;
  }

  counted(path, content, source) {
    this.traffic.push({ path, bytes: content.length, source });
    return content;
  }

  /** Fetches a file past the browser's own cache, else returns the kept one; null if the server has none. */
  async newest(path, most) {
    const hit = (await (await this.cache())?.match(this.base + path)) ?? null;
    try {
      const signal = hit === null ? undefined : AbortSignal.timeout(PATIENCE);
      const content = await this.fetched(path, most, "no-cache", signal);
      return content === null ? null : this.counted(path, content, "network");
    } catch (error) {
      if (hit === null) throw error;
      return this.counted(path, await bounded(hit, most), "cache");
    }
  }

  async fetched(path, most, cache, signal) {
    let response;
    try {
      response = await fetch(this.base + path, { cache, credentials: "same-origin", signal });
    } catch (error) {
      throw new NetworkError(`${this.base}${path}: cannot be fetched: ${error.message}`);
    }
    if (response.status === 404 || response.status === 410) return null;
    if (!response.ok) throw new NetworkError(`${this.base}${path}: the server answers ${response.status}`);
    try {
      return await bounded(response, most);
    } catch (error) {
      throw new NetworkError(`${this.base}${path}: cannot be fetched: ${error.message}`);
    }
  }

  /** Puts bytes into the cache; a full disk is no reason to refuse an answer. */
  async put(cache, url, content) {
    try {
      await cache.put(url, new Response(content, { headers: { "Content-Type": "application/octet-stream" } }));
    } catch {
      this.caching = false;
    }
  }
}

/** Reads a response's body up to one byte more than `most`. */
async function bounded(response, most) {
  const reader = response.body?.getReader();
  const parts = [];
  let total = 0;
  while (reader !== undefined && total <= most) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    total += value.length;
  }
  if (total > most) await reader.cancel();
  const content = new Uint8Array(total);
  let filled = 0;
  for (const part of parts) {
    content.set(part, filled);
    filled += part.length;
  }
  return content;
}

async function isWhole(content, entry) {
  return content.length === entry.bytes && (await sha256(content)) === entry.sha256;
}
