"""A file of expected answers tells what a board does otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_experts.benchmarking import expected
from edge_experts.errors import BundleError, UsageError
from edge_experts.features import packing
from edge_experts.format.npz import npz, plain_arrays
from edge_experts.runtime import golden, interpreter

from ...tiny import tiny_bundle


@pytest.fixture(scope="module")
def made(many_experts: Path) -> dict[str, np.ndarray]:
    return expected.expect(many_experts, golden.read(many_experts).inputs)


@pytest.fixture
def file(made: dict[str, np.ndarray], tmp_path: Path) -> Path:
    return written(tmp_path / "expected.npz", made)


def written(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    path.write_bytes(npz(**arrays))
    return path


def test_the_machine_that_made_it_agrees(many_experts: Path, file: Path) -> None:
    found = expected.compare(many_experts, file)
    assert found.examples == len(golden.read(many_experts).inputs)
    assert found.features == found.reference == found.other_labels == 0


def test_reference_kernels_are_asked_whatever_the_runtime_uses(
    many_experts: Path, made: dict[str, np.ndarray]
) -> None:
    again = expected.expect(many_experts, golden.read(many_experts).inputs)
    assert all(np.array_equal(again[name], made[name]) for name in made)
    assert made["gate"].shape == (len(made["expert"]), 64)


@pytest.mark.parametrize(
    ("name", "counted"),
    [("output", "reference"), ("gate", "reference"), ("features_x", "features")],
)
def test_one_other_bit_is_counted_once(
    many_experts: Path, made: dict[str, np.ndarray], tmp_path: Path, name: str, counted: str
) -> None:
    other = made[name].copy()
    other[3].flat[0] = np.nextafter(other[3].flat[0], np.float32(np.inf))
    found = expected.compare(many_experts, written(tmp_path / "x.npz", made | {name: other}))
    assert getattr(found, counted) == 1
    assert found.largest_feature < 1e-6


def test_another_label_and_another_expert_are_counted(
    many_experts: Path, made: dict[str, np.ndarray], tmp_path: Path
) -> None:
    before = expected.compare(many_experts, written(tmp_path / "a.npz", made))
    output, expert = made["output"].copy(), made["expert"].copy()
    output[0] = -output[0]
    expert[:2] = 63 - expert[:2]
    other = made | {"output": output, "expert": expert}
    found = expected.compare(many_experts, written(tmp_path / "b.npz", other))
    assert found.other_labels - before.other_labels == 1
    assert found.other_experts - before.other_experts == 2


def test_what_was_made_for_something_else_is_refused(
    many_experts: Path, made: dict[str, np.ndarray], file: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="made for another bundle"):
        expected.compare(tiny_bundle(tmp_path / "tiny.bundle"), file)
    other = made | {"interpreter": np.frombuffer(b"another", np.uint8)}
    with pytest.raises(BundleError, match=interpreter.CHOICE):
        expected.compare(many_experts, written(tmp_path / "other.npz", other))
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(BundleError, match="not a file of expected answers"):
        expected.compare(many_experts, file)


def test_several_experts_together_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    from edge_experts.format.manifest import MANIFEST
    from edge_experts.format.manifest_parser import read_manifest

    bundle = tiny_bundle(tmp_path / "two.bundle")
    (bundle / MANIFEST).write_text(replace(read_manifest(bundle), top_k=2).to_json())
    with pytest.raises(UsageError, match="runs one expert only"):
        expected.expect(bundle, [])


@pytest.fixture(scope="module")
def spoken(translator_bundle: Path) -> dict[str, np.ndarray]:
    return expected.expect(translator_bundle, golden.read(translator_bundle).inputs)


def test_reference_kernels_write_what_the_others_do(
    translator_bundle: Path, spoken: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """Bit by bit again; tflite-runtime's own read beyond the weights once."""
    found = expected.compare(translator_bundle, written(tmp_path / "e.npz", spoken))
    assert found.features == found.reference == found.other_labels == 0
    examples = golden.read(translator_bundle)
    for row, pieces in zip(spoken["pieces"], examples.of_task["pieces"], strict=True):
        assert row[row >= 0].tolist() == pieces[pieces >= 0].tolist()


@pytest.mark.parametrize(
    ("name", "counted"),
    [("bits", "reference"), ("pieces", "other_labels"), ("features_source", "features")],
)
def test_what_is_written_otherwise_is_counted(
    translator_bundle: Path, spoken: dict[str, np.ndarray], tmp_path: Path, name: str, counted: str
) -> None:
    other = spoken[name].copy()
    other[3].flat[-1] += 1
    file = written(tmp_path / "e.npz", spoken | {name: other})
    assert getattr(expected.compare(translator_bundle, file), counted) == 1


def test_from_data_to_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, data, out = tmp_path / "tiny.bundle", tmp_path / "d.npz", tmp_path / "e.npz"
    tiny_bundle(bundle)
    x, y = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32), np.arange(40) % 2
    np.savez(data, x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    expected.main([str(bundle), "--data", str(data), "--count", "7", "--out", str(out)])
    assert len(plain_arrays(out.read_bytes())["expert"]) == 7
    expected.main([str(bundle), "--check", str(out)])
    found = json.loads(capsys.readouterr().out)
    assert (found["schema_version"], found["examples"], found["reference"]) == ("1.0", 7, 0)
    with pytest.raises(SystemExit):
        expected.main([str(bundle)])


def test_examples_are_taken_from_all_of_the_test_and_fit(
    translator_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts import datasets

    from ... import translators

    toy = translators.toy()
    toy.test.inputs[4] = ("far too long " * 40, "")  # type: ignore[index]
    monkeypatch.setattr(datasets, "load", lambda *_, **__: toy)
    out = tmp_path / "e.npz"
    options = ["--data", "toy", "--every", "2", "--count", "4", "--out", str(out)]
    expected.main([str(translator_bundle), *options])
    asked = [str(text) for text, _ in packing.unpacked(plain_arrays(out.read_bytes())["inputs"])]
    assert asked == [toy.test.inputs[row][0] for row in (0, 2, 6, 8)]
