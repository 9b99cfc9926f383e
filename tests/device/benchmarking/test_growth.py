"""Memory of an answer beside its limit, and what the pages of files are."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from edge_experts import subprocesses
from edge_experts.benchmarking.measure.growth import measure_growth, room_for_one
from edge_experts.errors import MemoryBudgetError
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, golden, interpreter
from edge_experts.runtime.memory import measured_costs
from edge_experts.updates.install import install


def _resident_by_file() -> Counter[str]:
    """Resident bytes of this process by the file that is mapped, "" for no file."""
    found: Counter[str] = Counter()
    name = ""
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if mapped := re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(/.*)?", line):
            name = mapped[1] or ""
        elif line.startswith("Rss:"):
            found[name] += int(line.split()[1]) * 1024
    return found


def _added_by_answers(bundle: Path) -> dict[str, int]:
    """Find the resident bytes that answers add, by the mapped file."""
    inputs = golden.read(bundle).inputs
    interpreter.description()  # imports it
    before = _resident_by_file()
    with ExpertRuntime(bundle, memory_budget=room_for_one(bundle)) as runtime:
        for one in inputs:
            runtime.predict(one)
        return dict(_resident_by_file() - before)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="/proc")
def test_pages_of_files_are_code_of_libraries(many_experts: Path) -> None:
    added = subprocesses.call(_added_by_answers, many_experts)
    files = {name: size for name, size in added.items() if name}
    libraries = sum(size for name, size in files.items() if ".so" in name)
    assert libraries > 1_000_000
    assert libraries >= 0.95 * sum(files.values())
    assert not [name for name in files if str(many_experts) in name]


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="/proc")
def test_the_limit_is_that_of_anonymous_pages(many_experts: Path) -> None:
    grown = measure_growth(many_experts, room_for_one(many_experts))
    assert grown.bound_bytes is not None
    assert 0 < grown.anonymous_bytes <= grown.bound_bytes
    assert grown.growth_bytes <= grown.anonymous_bytes + grown.file_bytes


def test_room_for_one_is_enough_while_an_expert_is_opened(tmp_path: Path) -> None:
    """An expert of a model of layers takes more memory while it is opened than afterwards."""
    root = tmp_path / "root"
    install(Path(__file__).parents[3] / "examples" / "help.bundle", root)
    folder = resolve(root)
    manifest = read_manifest(folder)
    figures = {entry.path: entry.bytes for entry in manifest.models}
    measured_costs.record(root, manifest, figures, [entry.sha256 for entry in manifest.models])
    costs = measured_costs.known(folder, manifest)
    assert max(costs.experts) < max(costs.opening)
    budget = room_for_one(folder)
    with ExpertRuntime(folder, memory_budget=budget, strict=True) as runtime:
        assert golden.check(runtime) is not None
        assert runtime.resident_bytes <= budget
    with pytest.raises(MemoryBudgetError, match="raise the budget to"):
        ExpertRuntime(folder, memory_budget=budget - 1, strict=True)
