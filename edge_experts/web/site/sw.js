/**
 * Service worker: keeps the page, its modules and LiteRT.js for use without a network.
 *
 * The bundle's files are kept by edge-experts.js itself. Files are kept by their digests, so that a new
 * version fetches what changed, and checked before use, so that a damaged one is fetched again.
 */
"use strict";

// Path and SHA-256 of each file; `edge-experts export-web` fills it.
const FILES = {};
const SCOPE = self.registration.scope;
const CACHE = `edge-experts site ${SCOPE}`;

function keyOf(path) {
  return `${SCOPE}site-sha256/${FILES[path]}`;
}

async function isWhole(content, path) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") === FILES[path];
}

/** Fetches a file, and keeps it if it is of this version. */
async function fetched(cache, path) {
  let response;
  // The page has just fetched the file; only another version is fetched past the browser's own cache.
  for (const mode of ["default", "reload"]) {
    response = await fetch(SCOPE + path, { cache: mode });
    if (response.ok && (await isWhole(await response.clone().arrayBuffer(), path))) {
      await cache.put(keyOf(path), response.clone());
      return { response, isOfThisVersion: true };
    }
  }
  return { response, isOfThisVersion: false };
}

async function install() {
  const cache = await caches.open(CACHE);
  for (const path of Object.keys(FILES)) {
    if ((await cache.match(keyOf(path))) !== undefined) continue;
    const { isOfThisVersion } = await fetched(cache, path);
    if (!isOfThisVersion) throw new Error(`${path}: not the file that the site was exported with`);
  }
  await self.skipWaiting();
}

async function activate() {
  const cache = await caches.open(CACHE);
  const kept = new Set(Object.keys(FILES).map(keyOf));
  for (const request of await cache.keys()) {
    if (!kept.has(request.url)) await cache.delete(request);
  }
  await self.clients.claim();
}

async function answer(path) {
  const cache = await caches.open(CACHE);
  const hit = await cache.match(keyOf(path));
  if (hit !== undefined) {
    if (await isWhole(await hit.clone().arrayBuffer(), path)) return hit;
    await cache.delete(keyOf(path));
  }
  return (await fetched(cache, path)).response;
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const url = event.request.url.split(/[?#]/)[0];
  if (event.request.method !== "GET" || !url.startsWith(SCOPE)) return;
  const path = url.slice(SCOPE.length) || "index.html";
  if (Object.hasOwn(FILES, path)) event.respondWith(answer(path));
});
