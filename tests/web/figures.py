"""Measures a site of a bundle of texts in Chromium: `python -m tests.web.figures BUNDLE`.

Prints sizes on the wire, the time to the first answer on slow networks and processors, the median
of warm answers beside the Python runtime's, and memory over 1,000 changes of experts. With a second
argument, a folder, it also draws the page at 390 and 1280 pixels there.
"""

from __future__ import annotations

import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .server import Server
from .visit import Visit

TEXT = "A film to remember: slow at first, then funny, and in the end I was moved."
WARM = 300
# Bits per second, milliseconds of a round trip, and how much slower the processor is.
LINES = {
    "not slowed": (None, 0, 1),
    "9 Mbit/s, 150 ms, processor 4 times slower": (9e6, 150, 4),
    "1.6 Mbit/s, 300 ms, processor 4 times slower": (1.6e6, 300, 4),
}
_PYTHON = """
import sys, time, statistics
from edge_experts import ExpertRuntime
with ExpertRuntime(sys.argv[1]) as runtime:
    times = []
    for _ in range({count} + 50):
        start = time.perf_counter()
        runtime.predict(sys.argv[2])
        times.append(time.perf_counter() - start)
print(statistics.median(times[50:]) * 1e3)
"""
_WARM = """
    const { open } = await load("edge-experts.js");
    const bundle = await open("bundle/");
    const times = [];
    for (let count = 0; count < given.count + 50; count += 1) {
        const start = performance.now();
        await bundle.predict(given.text);
        times.push(performance.now() - start);
    }
    return times.slice(50);"""
_CHANGES = """
    const { open } = await load("edge-experts.js");
    const litert = await load("litert/index.js");
    const bundle = await open("bundle/", { memoryBudget: given.budget });
    const sizes = [];
    for (let count = 0; bundle.counts.loads < 1000; count += 1) {
        await bundle.predict(`${given.text} ${given.words[count % given.words.length]}`);
        sizes.push(litert.getGlobalLiteRt().liteRtWasm.HEAPU8.length);
    }
    return [sizes[20], sizes.at(-1), bundle.counts.loads];"""


def main(arguments: Sequence[str]) -> None:
    bundle = Path(arguments[0])
    with tempfile.TemporaryDirectory() as folder, _browser() as browser:
        site = Path(folder, "site")
        command = [
            sys.executable,
            "-m",
            "edge_experts",
            "export-web",
            str(bundle),
            "--out",
            str(site),
        ]
        subprocess.run(command, check=True, capture_output=True)
        _sizes(site)
        for name, line in LINES.items():
            first, again = _first_answers(browser, site, *line)
            print(f"first answer, {name}: {first:.1f} s; again {again:.1f} s")
        _warm(browser, site, bundle)
        _memory(browser, site)
        if len(arguments) > 1:
            _pictures(browser, site, Path(arguments[1]))


@contextmanager
def _browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield opened
        opened.close()


def _sizes(site: Path) -> None:
    parts: dict[str, list[int]] = {}
    for path in sorted(site.rglob("*")):
        if path.is_file():
            name = path.relative_to(site).as_posix()
            top = name.partition("/")[0] if name.startswith("litert") else "page and modules"
            raw = path.read_bytes()
            sizes = parts.setdefault(name if name.startswith("bundle/") else top, [0, 0])
            sizes[0] += len(raw)
            sizes[1] += len(gzip.compress(raw))
    for name, (size, packed) in parts.items():
        print(f"{name}: {size:,} bytes, {packed:,} by gzip")


def _first_answers(
    browser: Any, site: Path, bits: float | None, round_trip: int, slower: int
) -> tuple[float, float]:
    """Seconds from the address to an answer: with nothing kept, and again."""
    server = Server(site, compress=True)
    visit = Visit(browser, server)
    tools = visit.context.new_cdp_session(visit.page)
    if bits is not None:
        tools.send("Network.enable")
        speed = {"downloadThroughput": bits / 8, "uploadThroughput": bits / 8}
        limits = {"offline": False, "latency": round_trip, **speed}
        tools.send("Network.emulateNetworkConditions", limits)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    times = []
    for _ in range(2):
        start = time.perf_counter()
        assert visit.open() == "Ready."
        _ask(visit)
        times.append(time.perf_counter() - start)
        visit.run("await navigator.serviceWorker.ready;")
    visit.context.close()
    server.close()
    return times[0], times[1]


def _ask(visit: Visit) -> None:
    visit.page.fill("textarea", TEXT)
    visit.page.click("#ask")
    visit.page.wait_for_selector("#answer:not([hidden])")


def _warm(browser: Any, site: Path, bundle: Path) -> None:
    server = Server(site)
    visit = Visit(browser, server)
    visit.open()
    times = visit.run(_WARM, {"count": WARM, "text": TEXT})
    command = [sys.executable, "-c", _PYTHON.format(count=WARM), str(bundle), TEXT]
    python = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"warm answer, p50: {statistics.median(times):.2f} ms; Python {python:.2f} ms")
    visit.context.close()
    server.close()


def _memory(browser: Any, site: Path) -> None:
    manifest = json.loads((site / "bundle" / "manifest.json").read_text())
    largest = max(one["resident_bytes"] for one in manifest["experts"])
    budget = (manifest["router"] or {"resident_bytes": 0})["resident_bytes"] + largest
    server = Server(site)
    visit = Visit(browser, server)
    visit.open()
    words = ["terrible", "wonderful", "film", "phone", "food", "service", "price", "battery"]
    given = {"budget": budget, "text": "", "words": words}
    early, late, loads = visit.run(_CHANGES, given)
    print(f"WebAssembly memory after 20 answers {early:,} bytes, after {loads:,} loads {late:,}")
    visit.context.close()
    server.close()


def _pictures(browser: Any, site: Path, folder: Path) -> None:
    server = Server(site)
    for width, dark in ((390, False), (1280, True)):
        visit = Visit(browser, server, width=width, dark=dark)
        visit.open()
        _ask(visit)
        visit.page.click("summary")
        visit.page.screenshot(path=folder / f"web-{width}.png", full_page=width < 1000)
        visit.context.close()
    server.close()


if __name__ == "__main__":
    main(sys.argv[1:])
