"""A site in a browser: answers, requests, use without a network, and updates."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.features import ArrayFeatures
from edge_experts.format.manifest import FeatureSpec, FileEntry, Manifest, expert_path, sha256
from edge_experts.format.npz import npz
from tests.attacks.bundles import publish, rewritten
from tests.conftest import ROOT, Cli
from tests.tiny import INPUTS, PICKED, tiny_bundle, tiny_labels, tiny_regression

from .conftest import Export, Visiting
from .visit import Visit

# Inputs that the router sends to each of the two experts.
FIRST, SECOND = (INPUTS[index == PICKED][0].tolist() for index in (0, 1))
OPEN = (
    "const { open } = await load('edge-experts.js');"
    "const bundle = await open('bundle/', given.options ?? {});"
)
MODELS = ROOT / "tests" / "device" / "models"
ALIKE = ("expert", "experts", "degraded", "reason", "warnings")


def test_golden_answers_and_the_files_that_a_question_needs(
    site: Path, visit: Visiting, cli: Cli
) -> None:
    visited = visit(site)
    assert visited.open() == "Ready."
    opened = visited.server.take("/bundle/")
    assert opened[0] == "manifest.json"
    assert sorted(opened[1:]) == ["features.npz", "router.tflite"]
    visited.page.fill("textarea", json.dumps(FIRST))
    visited.page.click("#ask")
    visited.page.wait_for_selector("#answer:not([hidden])")
    assert visited.server.take("/bundle/") == ["experts/000.tflite"]
    said = json.loads(cli("run", site / "bundle", "--json", json.dumps(FIRST)).stdout)
    assert visited.page.inner_text("#label") == said["label"]
    assert "expert 0 of 2" in visited.page.inner_text("#expert")
    assert visited.verify().endswith("to all 4 golden examples.")


def _answers(visited: Visit, examples: list[Any], **options: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = visited.run(
        f"{OPEN} return Promise.all(given.examples.map((one) => bundle.predict(one)));",
        {"examples": examples, "options": options},
    )
    return made


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"top_k": 2},
        {"second_below": 0.97},
        {"abstain_below": 0.9},
        {"combine": "sum", "router": None},
        {"temperature": 3.0},
    ],
)
def test_answers_are_those_of_python(
    site: Path, visit: Visiting, cli: Cli, said: dict[str, Any]
) -> None:
    rewritten(site / "bundle", lambda content: content.update(said))
    visited = visit(site)
    visited.open()
    lines = "\n".join(map(json.dumps, INPUTS.tolist())) + "\n"
    told = cli("run", site / "bundle", "--json", stdin=lines).stdout.splitlines()
    for one, line in zip(_answers(visited, INPUTS.tolist()), told, strict=True):
        other = json.loads(line)
        keys = (*ALIKE, "label", "abstained")
        assert {key: one[key] for key in keys} == {key: other[key] for key in keys}
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
        assert set(one["timings"]) == set(other["timings"])


def test_estimates_are_those_of_python(
    tmp_path: Path, export: Export, visit: Visiting, cli: Cli
) -> None:
    bundle = tiny_regression(tmp_path / "tiny.bundle")
    visited = visit(export(bundle, tmp_path / "site"))
    visited.open()
    lines = "\n".join(map(json.dumps, INPUTS.tolist())) + "\n"
    told = cli("run", bundle, "--json", stdin=lines).stdout.splitlines()
    for one, line in zip(_answers(visited, INPUTS.tolist()), told, strict=True):
        other = json.loads(line)
        assert {key: one[key] for key in ALIKE} == {key: other[key] for key in ALIKE}
        assert one["values"] == pytest.approx(other["values"], rel=1e-6)
    assert visited.verify().endswith("to all 4 golden examples.")


@pytest.mark.parametrize(
    "said",
    [{}, {"top_k": 2}, {"combine": "sum", "router": None}],
    ids=["one", "two", "sum"],
)
def test_sets_of_labels_are_those_of_python(
    tmp_path: Path, export: Export, visit: Visiting, cli: Cli, said: dict[str, Any]
) -> None:
    bundle = tiny_labels(tmp_path / "tiny.bundle")
    visited = visit(export(bundle, tmp_path / "site"))
    rewritten(tmp_path / "site" / "bundle", lambda content: content.update(said))
    rewritten(bundle, lambda content: content.update(said))
    visited.open()
    examples = [*INPUTS.tolist(), *np.random.default_rng(0).normal(size=(20, 2)).round(3).tolist()]
    lines = "\n".join(map(json.dumps, examples)) + "\n"
    told = cli("run", bundle, "--json", stdin=lines).stdout.splitlines()
    for one, line in zip(_answers(visited, examples), told, strict=True):
        other = json.loads(line)
        keys = (*ALIKE, "label", "labels")
        assert {key: one[key] for key in keys} == {key: other[key] for key in keys}
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)
        assert one["thresholds"] == pytest.approx([0.75, 0.25])
        for name, probability in other["probabilities"].items():
            place = ("red", "round").index(name)
            assert one["scores"][place] == pytest.approx(probability, abs=1e-5)
    if not said:
        assert visited.verify().endswith("to all 4 golden examples.")


def test_experts_build_on_what_the_router_computes(site: Path, visit: Visiting, cli: Cli) -> None:
    bundle = site / "bundle"
    _with_trunk(bundle)
    visited = visit(site)
    visited.open()
    examples = np.random.default_rng(0).normal(0, 1, (20, 16)).astype(np.float32).tolist()
    lines = "".join(f"{json.dumps(one)}\n" for one in examples)
    told = cli("run", bundle, "--json", stdin=lines).stdout.splitlines()
    answers = _answers(visited, examples)
    assert len({one["expert"] for one in answers}) > 3
    for one, line in zip(answers, told, strict=True):
        other = json.loads(line)
        assert (one["label"], one["expert"]) == (other["label"], other["expert"])
        assert one["score"] == pytest.approx(other["score"], abs=1e-5)


def _with_trunk(bundle: Path) -> None:
    """Put in a router of 64 experts with a second output, which they take beside the input."""
    shutil.rmtree(bundle)
    (bundle / "experts").mkdir(parents=True)
    features = ArrayFeatures.unscaled((16,))
    files = {"router.tflite": (MODELS / "router_with_trunk.tflite").read_bytes()}
    paths = [expert_path(index) for index in range(64)]
    files |= dict.fromkeys(paths, (MODELS / "expert_on_trunk.tflite").read_bytes())
    files |= {"features.npz": npz(**features.arrays), "golden.npz": b"", "MODEL_CARD.md": b""}
    entries = {path: FileEntry.of(path, content, 1000) for path, content in files.items()}
    for path, content in files.items():
        (bundle / path).write_bytes(content)
    manifest = Manifest(
        name="trunk",
        bundle_version=1,
        task="none",
        features=FeatureSpec("array", features.settings, entries["features.npz"]),
        labels=("a", "b", "c", "d"),
        combine="top",
        top_k=1,
        temperature=1.0,
        router=entries["router.tflite"],
        experts=tuple(entries[path] for path in paths),
        golden=entries["golden.npz"],
        model_card=entries["MODEL_CARD.md"],
        verified_on={},
        provenance={},
    )
    publish(bundle, manifest)


def test_a_memory_budget_holds_one_expert(site: Path, visit: Visiting) -> None:
    visited = visit(site)
    visited.open()
    script = f"""{OPEN}
        const resident = [];
        for (const example of given.examples) {{
            await bundle.predict(example);
            resident.push(bundle.resident);
        }}
        return [resident, bundle.counts];"""
    given = {"examples": [FIRST, SECOND, FIRST], "options": {"memoryBudget": 2000}}
    assert visited.run(script, given) == [[[0], [1], [0]], {"loads": 3, "evictions": 2}]
    name, message = visited.refused(OPEN, {"options": {"memoryBudget": 1999}})
    assert name == "MemoryBudgetError"
    assert "2000 or more" in message


def test_memory_is_flat_over_a_thousand_changes_of_experts(site: Path, visit: Visiting) -> None:
    visited = visit(site)
    visited.open()
    script = f"""{OPEN}
        const litert = await load("litert/index.js");
        const sizes = [];
        for (let change = 0; change < 1000; change += 1) {{
            await bundle.predict(given.examples[change % 2]);
            sizes.push(litert.getGlobalLiteRt().liteRtWasm.HEAPU8.length);
        }}
        return [sizes, bundle.counts];"""
    given = {"examples": [FIRST, SECOND], "options": {"memoryBudget": 2000}}
    sizes, counts = visited.run(script, given)
    assert counts == {"loads": 1000, "evictions": 999}
    assert sizes[-1] == sizes[50]


def test_closed_and_released(site: Path, visit: Visiting) -> None:
    visited = visit(site)
    visited.open()
    script = f"""{OPEN}
        await bundle.predict(given.example);
        await bundle.release();
        const resident = bundle.resident;
        await bundle.close();
        try {{ await bundle.predict(given.example); }} catch (error) {{
            return [resident, error.name, error.message];
        }}"""
    found = visited.run(script, {"example": FIRST})
    assert found == [[], "UsageError", "the bundle is closed"]


def test_the_page_tells_what_an_input_must_be(site: Path, visit: Visiting) -> None:
    visited = visit(site)
    visited.open()
    for text, told in (("[1]", "shape (2)"), ("{", "in JSON"), ('["a", "b"]', "got texts")):
        visited.page.fill("textarea", text)
        visited.page.click("#ask")
        assert told in visited.status("(Answering|Ready)")


def _installed(visited: Visit) -> None:
    """Wait until the service worker has all files and controls the page."""
    visited.run(
        """await navigator.serviceWorker.ready;
        while (navigator.serviceWorker.controller === null) {
            await new Promise((resolve) => setTimeout(resolve, 20));
        }"""
    )


def test_a_reloaded_page_answers_without_a_network(site: Path, visit: Visiting) -> None:
    visited = visit(site, expected="ERR_CONNECTION_REFUSED")
    visited.open()
    _answers(visited, [FIRST])
    _installed(visited)
    visited.server.close()
    assert visited.open() == "Ready."
    visited.page.fill("textarea", json.dumps(FIRST))
    visited.page.click("#ask")
    visited.page.wait_for_selector("#answer:not([hidden])")
    # The other expert was never read: its neighbour answers.
    (answer,) = _answers(visited, [SECOND])
    assert answer["degraded"]
    assert "cannot be fetched" in answer["reason"]
    visited.server.start()


def test_a_network_that_does_not_answer_is_given_up(site: Path, visit: Visiting) -> None:
    visited = visit(site, expected="ERR_|Failed to fetch")
    visited.open()
    (whole,) = _answers(visited, [FIRST])
    visited.server.slow["/bundle/manifest.json"] = 12
    start = time.monotonic()
    (again,) = _answers(visited, [FIRST])
    assert 4 < time.monotonic() - start < 11
    assert again["scores"] == whole["scores"]


def test_an_update_fetches_the_manifest_and_changed_files(
    site: Path, tmp_path: Path, visit: Visiting
) -> None:
    visited = visit(site)
    visited.open()
    _answers(visited, [FIRST, SECOND])
    _installed(visited)
    visited.server.take()
    shutil.rmtree(site / "bundle")
    tiny_bundle(site / "bundle", version=2, seeds=(0, 5))
    visited.open()
    before = visited.server.take("/bundle/")
    _answers(visited, [FIRST, SECOND])
    assert before == ["manifest.json"]
    assert visited.server.take("/bundle/") == ["manifest.json", "experts/001.tflite"]
    kept = visited.run(
        "const cache = await caches.open(`edge-experts ${document.baseURI}bundle/`);"
        "return (await cache.keys()).length;"
    )
    assert kept == 5  # manifest, features, router and two experts: none of the old version


def test_a_changed_page_replaces_the_kept_one(site: Path, visit: Visiting) -> None:
    visited = visit(site)
    visited.open()
    _installed(visited)
    visited.server.take()
    worker, page = site / "sw.js", site / "index.html"
    old = page.read_bytes()
    page.write_bytes(old.replace(b"Nothing that you enter", b"No word that you enter"))
    changed = worker.read_text().replace(sha256(old), sha256(page.read_bytes()))
    worker.write_text(changed)
    visited.run(
        """const registration = await navigator.serviceWorker.getRegistration();
        const changed = new Promise((resolve) => {
            navigator.serviceWorker.addEventListener("controllerchange", resolve);
        });
        await registration.update();
        await changed;"""
    )
    assert visited.server.take() == ["sw.js", "index.html"]
    visited.open()
    assert visited.page.inner_text("#about").startswith("No word")


def test_a_damaged_cache_entry_is_fetched_again(site: Path, visit: Visiting) -> None:
    visited = visit(site)
    visited.open()
    (whole,) = _answers(visited, [FIRST])
    _installed(visited)
    damaged = visited.run(
        """let count = 0;
        for (const name of await caches.keys()) {
            const cache = await caches.open(name);
            for (const request of await cache.keys()) {
                if (request.url.endsWith("manifest.json")) continue;
                const response = await cache.match(request);
                const content = new Uint8Array(await response.arrayBuffer());
                content[content.length >> 1] ^= 1;
                await cache.put(request, new Response(content, { headers: response.headers }));
                count += 1;
            }
        }
        return count;"""
    )
    assert damaged > 20
    visited.server.take()
    visited.open()
    (again,) = _answers(visited, [FIRST])
    assert again["scores"] == whole["scores"]
    fetched = visited.server.take()
    for path in ("bundle/router.tflite", "bundle/experts/000.tflite", "page.js"):
        assert path in fetched
    assert visited.server.take() == []
    visited.open()
    assert visited.server.take("/bundle/") == ["manifest.json"]
