"""One model in an interpreter: integers outside, a second output, and what is refused."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import DigestError, InterpreterError, MissingExtraError, ModelError
from edge_experts.format.checked_files import read_checked
from edge_experts.format.manifest import MANIFEST, ROUTER, TRUNK, FileEntry, expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import interpreter
from edge_experts.runtime.interpreter import Model
from edge_experts.runtime.memory import allocator

from ..many import INPUTS, together

MODELS = Path(__file__).parents[1] / "models"


def _model(name: str) -> Model:
    return Model((MODELS / name).read_bytes(), name)


@pytest.fixture
def with_trunk(many: Path) -> Path:
    """A bundle whose experts build on what the router computes."""
    files = {ROUTER: "router_with_trunk.tflite"}
    files |= {expert_path(index): "expert_on_trunk.tflite" for index in range(64)}
    entries = {}
    for path, name in files.items():
        content = (MODELS / name).read_bytes()
        (many / path).write_bytes(content)
        entries[path] = FileEntry.of(path, content, 10_000)
    manifest = replace(
        read_manifest(many),
        router=entries[ROUTER],
        experts=tuple(entries[expert_path(index)] for index in range(64)),
    )
    (many / MANIFEST).write_text(manifest.to_json())
    return many


def test_integers_outside_stand_for_real_numbers() -> None:
    model = _model("integer.tflite")
    details = model._interpreter.get_input_details()[0]
    assert details["dtype"] == np.int8
    scale, zero = details["quantization"]
    out_scale, out_zero = model._interpreter.get_output_details()[0]["quantization"]
    for example in INPUTS[:20]:
        found = model({"x": example[None]})
        steps = np.clip(np.rint(example[None] / np.float32(scale)) + zero, -128, 127)
        model._interpreter.set_tensor(details["index"], steps.astype(np.int8))
        model._interpreter.invoke()
        raw = model._interpreter.get_tensor(model._output)[0]
        assert found == pytest.approx((raw.astype(np.float32) - out_zero) * out_scale)
    model.warm_up()


def test_experts_build_on_the_trunk_of_their_own_input(with_trunk: Path) -> None:
    router, expert = _model("router_with_trunk.tflite"), _model("expert_on_trunk.tflite")
    assert router.has_trunk
    assert not expert.has_trunk
    expected = []
    for example in INPUTS[:60]:
        arrays = {"x": example[None]}
        router(arrays)
        expected.append(expert({**arrays, TRUNK: router.trunk()}))
    with ExpertRuntime(with_trunk, max_experts=3, strict=True) as runtime:

        def work() -> None:
            for example, logits in zip(INPUTS, expected, strict=False):
                assert np.array_equal(runtime.predict(example)._logits, logits)

        together([work] * 3)
        batch = [answer._logits for answer in runtime.predict_batch(INPUTS[:60])]
    assert np.array_equal(batch, expected)


def test_made_up_inputs_are_small_where_they_are_ids() -> None:
    assert interpreter._ones(np.array([1, 2]), np.float32).tolist() == [[1, 1]]
    assert interpreter._ones(np.array([2]), np.int32).tolist() == [0, 0]


def test_models_with_too_many_outputs_are_refused() -> None:
    with pytest.raises(ModelError, match="one output or two, has 3"):
        _model("three_outputs.tflite")


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ModelError, match=r"x\.tflite: \w+ refuses it"):
        Model(b"not a flatbuffer", "x.tflite")


def test_an_interpreter_for_another_numpy_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise SystemError

    monkeypatch.setattr(interpreter, "_lean_class", lambda: broken)
    with pytest.raises(InterpreterError, match="numpy<2"):
        _model("integer.tflite")


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Look for the interpreter again, and afterwards once more."""
    interpreter._found.cache_clear()
    yield
    interpreter._found.cache_clear()


@pytest.mark.usefixtures("forgetful")
def test_a_missing_or_broken_interpreter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str) -> Any:
        if name.startswith("tflite_runtime"):
            raise ImportError("built for another C library")
        if name.startswith("ai_edge_litert"):
            raise ModuleNotFoundError(name)
        return real(name)

    monkeypatch.delenv(interpreter.CHOICE, raising=False)
    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(MissingExtraError, match="built for another C library"):
        interpreter.interpreter_class()


@pytest.fixture
def no_libc() -> Iterator[None]:
    allocator._libc.cache_clear()
    yield
    allocator._libc.cache_clear()


@pytest.mark.usefixtures("no_libc")
@pytest.mark.parametrize("system", ["darwin", "linux"])
def test_another_allocator_is_left_alone(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("ctypes.CDLL", missing)
    allocator.return_freed_memory()
    allocator.map_large_blocks()


def test_links_inside_the_bundle_are_followed_and_others_refused(
    many: Path, tmp_path: Path
) -> None:
    entry = read_manifest(many).experts[0]
    path = many / entry.path
    content = path.read_bytes()
    path.rename(many / "experts" / "kept")
    path.symlink_to("kept")
    assert read_checked(many, entry) == content
    (many / "experts").rename(tmp_path / "outside")
    (many / "experts").symlink_to(tmp_path / "outside")
    with pytest.raises(DigestError, match="leads out of the bundle"):
        read_checked(many, entry)


def test_the_allocator_may_be_left_to_the_program(
    many_experts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocator, "map_large_blocks", lambda: pytest.fail("was tuned"))
    with ExpertRuntime(many_experts, tune_allocator=False) as runtime:
        assert runtime.predict(INPUTS[0]).label


def test_of_threads_that_come_out_of_a_fork_at_once_one_renews_the_router(
    many_experts: Path,
) -> None:
    with ExpertRuntime(many_experts) as runtime:
        first = runtime.models.router
        arrays = runtime.features.encode(INPUTS[0])
        gate = runtime.access.route(arrays)
        assert gate is not None
        runtime.after_fork()
        child = runtime.access
        again = child.route(arrays)
        assert again is not None
        assert np.array_equal(again, gate)
        renewed = runtime.models.router
        again = child._renewed(0, arrays)  # by another thread that came at the same time
        assert again is not None
        assert np.array_equal(again, gate)
        assert runtime.models.router is renewed is not first
