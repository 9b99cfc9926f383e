"""Models of layers give up the bytes of their files that XNNPACK has copied, and answer alike."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.residency import random_checkpoint, token_routes
from edge_experts.errors import MemoryBudgetError
from edge_experts.features import read_features
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, interpreter, rows_model
from edge_experts.runtime.memory import allocator, costs, measured_costs, process_memory
from edge_experts.runtime.rows_model import RowsModel, open_once_copied
from edge_experts.runtime.tasks import open_task

from ...conftest import Shared, run_cli
from .conftest import run
from .scenarios import logits, opened

PIECES = token_routes.BYTES + len(token_routes.TRACES) * token_routes.TOKENS


@pytest.fixture
def wide(shared: Shared, quantization: str) -> Path:
    """A bundle of four experts of granite's width: its weights fill pages."""

    def convert(out: Path) -> None:
        source = random_checkpoint.write(
            out.with_name(f"{quantization}-wide"), layers=1, experts=4, pieces=PIECES
        )
        done = run_cli("convert", source, "--out", out, "--quantization", quantization)
        assert done.returncode == 0, done.stderr

    return shared(f"wide-{quantization}.bundle", convert)


def _files(folder: Path) -> list[Path]:
    paths = sorted(folder.rglob("*.tflite"))
    assert {path.parent.name for path in paths} >= {"dense", "routers"}
    return paths


def _rows(count: int, units: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, units)).astype(np.float32)


def test_every_file_answers_as_before(wide: Path) -> None:
    run(_every_file_answers_as_before, wide)


def _every_file_answers_as_before(folder: Path) -> None:
    for path in _files(folder):
        content = path.read_bytes()
        kept = RowsModel(content, "kept")
        model = open_once_copied(path.read_bytes, lambda read: RowsModel(read, "given up"))
        assert not model.content or not model.given_up
        # Weights are nearly all of a file, but routers keep theirs in float32 and are small.
        assert model.given_up > 0.8 * len(content) or len(content) < 200_000, path
        for count in (1, 64, 3, 1):
            rows = _rows(count, model.inputs[0][1][1])
            given: dict[str, Any] = {model.given: rows}
            assert model.run(rows).tobytes() == kept.run(rows).tobytes(), (path, count)
            if model.has_trunk:
                model.with_trunk(given)
                assert np.isfinite(given["trunk"]).all()
    assert not rows_model._reads_weights


def test_its_memory_goes_back_to_the_system(wide: Path) -> None:
    run(_its_memory_goes_back_to_the_system, wide)


def _its_memory_goes_back_to_the_system(folder: Path) -> None:
    allocator.map_large_blocks()
    path = next(path for path in _files(folder) if path.parent.parent.name == "experts")
    size = path.stat().st_size
    taken = {}
    for name, give_up in (("first", True), ("kept", False), ("given up", True)):
        gc.collect()
        allocator.return_freed_memory()
        before = process_memory.read().private
        models = []
        for _ in range(4):
            model = RowsModel(path.read_bytes(), "expert")
            assert not give_up or model.give_up_weights()
            model.run(_rows(2, model.inputs[0][1][1]))
            models.append(model)
        taken[name] = (process_memory.read().private - before) / 4
        del models, model
    assert taken["kept"] - taken["given up"] == pytest.approx(size, rel=0.2)


def test_a_model_that_still_reads_its_file_is_opened_again(wide: Path) -> None:
    run(_a_model_that_still_reads_its_file_is_opened_again, wide)


def _a_model_that_still_reads_its_file_is_opened_again(folder: Path) -> None:
    path = next(path for path in _files(folder) if path.parent.parent.name == "experts")
    content, read = path.read_bytes(), []

    def opened(content: bytes) -> RowsModel:
        model = RowsModel(content, "expert", delegate="none")
        model._delegate = "xnnpack"  # as if XNNPACK computed with the file's bytes
        read.append(content)
        return model

    wanted = RowsModel(content, "expert", delegate="none")
    assert wanted.give_up_weights()
    assert wanted.given_up == 0
    rows = _rows(3, wanted.inputs[0][1][1])
    for times in (2, 3):  # the second model does not try
        model = open_once_copied(path.read_bytes, opened)
        assert len(read) == times
        assert model.given_up == 0
        assert model.run(rows).tobytes() == wanted.run(rows).tobytes()


def test_a_runtime_answers_alike_and_counts_one_copy(wide: Path) -> None:
    run(_a_runtime_answers_alike_and_counts_one_copy, wide)


def _a_runtime_answers_alike_and_counts_one_copy(folder: Path) -> None:
    rows_model._reads_weights.append("so that the first runtime keeps all")
    with opened(folder, "plain") as runtime:
        wanted = logits(runtime)
    rows_model._reads_weights.clear()
    manifest = read_manifest(folder)
    known = measured_costs.known(folder, manifest)
    for entry, cost, opening in zip(manifest.experts, known.experts, known.opening, strict=True):
        assert opening == max(cost, 2 * entry.bytes)
    with opened(folder, "plain") as runtime:
        assert logits(runtime) == wanted
        beside = runtime.resident_bytes - sum(known.experts)
        child = os.fork()
        if not child:  # its parts are read again: the parent's bytes are gone
            os._exit(0 if logits(runtime) == wanted else 1)
        assert os.waitpid(child, 0)[1] == 0
    least = beside + max(known.opening)
    with opened(folder, "plain", memory_budget=least) as runtime:
        assert logits(runtime) == wanted
        assert runtime.resident_bytes <= least
        assert runtime.counts.evictions
    with pytest.raises(MemoryBudgetError, match=f"the expert {max(known.opening):,}"):
        opened(folder, "plain", memory_budget=beside + min(known.opening) - 1)


def test_measured_costs_have_one_copy(wide: Path) -> None:
    run(_measured_costs_have_one_copy, wide)


def _measured_costs_have_one_copy(folder: Path) -> None:
    allocator.map_large_blocks()
    manifest = read_manifest(folder)
    task = open_task(manifest, read_features(folder, manifest.features), folder)
    arrays = task.largest_state()
    one = costs.measure(folder, manifest, arrays, task)
    rows_model._reads_weights.append("so that all is kept")
    both = costs.measure(folder, manifest, arrays, task)
    for entry in (*manifest.experts, *manifest.dense):
        if entry.bytes > 500_000 and entry.path.endswith(".tflite"):
            assert both[entry.path] - one[entry.path] > 0.6 * entry.bytes, entry.path


def test_costs_of_another_machine_count_both_copies(wide: Path) -> None:
    run(_costs_of_another_machine_count_both_copies, wide)


def _costs_of_another_machine_count_both_copies(folder: Path) -> None:
    manifest = read_manifest(folder)
    here = interpreter.description()
    measured_costs.description = lambda: {**here, "version": "9"}  # type: ignore[attr-defined]
    known = measured_costs.known(folder, manifest)
    twice = [max(entry.resident_bytes, 2 * entry.bytes) for entry in manifest.experts]
    assert known.experts == known.opening == tuple(twice)


def test_a_language_model_opens_where_nothing_can_be_given_back(wide: Path) -> None:
    run(_a_language_model_opens_where_nothing_can_be_given_back, wide)


def _a_language_model_opens_where_nothing_can_be_given_back(folder: Path) -> None:
    from edge_experts.runtime import copied_weights

    with opened(folder, "plain") as runtime:
        wanted = logits(runtime)
    copied_weights.pages = lambda interpreter, content, name: []  # as on macOS
    with ExpertRuntime(folder, context=32) as runtime:
        assert logits(runtime) == wanted
