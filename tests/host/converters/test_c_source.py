"""C source: compiled for a board and for this machine; its answers beside the runtime's."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_experts.converters.c_source import c_source

from edge_experts import run_folder
from edge_experts.datasets import Split
from edge_experts.errors import UnsuitableError, UsageError
from edge_experts.features import ArrayFeatures
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli
from ..compilers import LABELS, compile_

ROOT = Path(__file__).parents[3]
EXAMPLES = 240
BOARD = ("-mcpu=cortex-m4", "-mthumb", "-Wall", "-Wextra", "-Werror")
TFLM = Path(__file__).parents[1] / "tflite_micro"  # declarations, as tflite-micro has them


@pytest.fixture(scope="module")
def run(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Windows of two channels; a router with a trunk; one expert of each kind of layers."""
    from edge_experts.training import SparseExperts
    from edge_experts.training.networks.trunk import attach

    keras.utils.set_random_seed(3)
    layers, shape = keras.layers, (8, 8, 2)

    def network(units: int, *between: Any) -> Any:
        inputs = output = keras.Input(shape, name="x")
        for layer in (*between, layers.Flatten(), layers.Dense(24, "relu"), layers.Dense(units)):
            output = layer(output)
        return keras.Model({"x": inputs}, output)

    router = network(3, layers.AveragePooling2D(2))
    router.layers[-1].set_weights([3 * one for one in router.layers[-1].get_weights()])
    experts = [
        network(3),
        network(3, layers.Conv2D(4, 3, 2, "same", activation="relu")),
        network(3, layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu6")),
    ]
    model = SparseExperts(*attach(router, router, experts))
    values = np.random.default_rng(0).normal(2, 3, (EXAMPLES, *shape)).astype(np.float32)
    values[:, :, :, 1] *= 50
    features = ArrayFeatures.fit(values, channels=True)
    encoded = np.concatenate([features.encode(one)["x"] for one in values])
    targets = model.predict({"x": encoded}, verbose=0).argmax(axis=1)
    assert len(set(targets)) == 3
    folder = tmp_path_factory.mktemp("c") / "windows.run"
    folder.mkdir()
    model.save(folder / run_folder.MODEL)
    run_folder.write_features(folder, features)
    parts = dict.fromkeys(("train", "validation", "test"), Split(list(values), targets))
    run_folder.write_examples(folder, features, parts)
    run_folder.Run(
        name="windows */ of \\",
        task="window classification",
        labels=LABELS,
        combine="top",
        top_k=1,
        experts=3,
        origin="made by a test",
        feature_kind=features.kind,
        feature_settings=features.settings,
        config={"seed": 0},
        metrics={"test_accuracy": 1.0},
        versions={},
    ).write(folder)
    return folder


@pytest.fixture(scope="module", params=["float", "integer"])
def bundle(request: pytest.FixtureRequest, run: Path) -> Path:
    """The same in files of floats, without arenas, and in files of integers, with them."""
    from edge_experts.converters import convert

    pytest.importorskip("tflite_micro")
    out = run.parent / f"{request.param}.bundle"
    made = convert(
        run,
        out,
        io=request.param,
        target=None if request.param == "float" else "microcontroller",
        abstain_below=0.6,
    )
    assert made.parity.equal_labels > 0.9
    return out


@pytest.fixture(scope="module")
def source(bundle: Path) -> Path:
    out = bundle.with_suffix(".c")
    made = c_source(bundle, out)
    assert made.folder == out
    assert set(made.arenas) == {"router.tflite", *(f"experts/00{one}.tflite" for one in range(3))}
    return out


def answers(bundle: Path, source: Path, **examples: np.ndarray) -> dict[str, np.ndarray]:
    """What tests.host.micro_answers finds."""
    job = source.parent
    library, out = job / f"{source.name}.so", job / f"{source.name}.npz"
    files = sorted(source.glob("*.c"))
    warnings = ("-Wall", "-Wextra", "-Werror", "-pedantic")
    compile_("gcc", "-std=c99", *warnings, "-O2", "-shared", "-fPIC", *files, "-lm", "-o", library)
    np.savez(job / "examples.npz", **examples)
    done = subprocess.run(
        [sys.executable, "-m", "tests.host.micro_answers"]
        + [str(path) for path in (bundle, library, job / "examples.npz", out)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(np.load(out))


def needs_the_oracle() -> None:
    """LiteRT's kernels round otherwise, also those that it calls its reference."""
    if importlib.util.find_spec("tflite_runtime") is None:
        pytest.skip(
            "tflite-runtime, whose reference kernels are the oracle, is not for this Python"
        )


def assert_equal(found: dict[str, np.ndarray]) -> None:
    """C and TensorFlow Lite Micro give what the runtime and its interpreter give.

    tflite-runtime's kernels for x86 round a few sums otherwise than its reference kernels, which
    TensorFlow Lite Micro has too: exactly equal are those, and the others nearly always.
    """
    assert found["same_bytes"].all()
    assert np.abs(found["encoded"] - found["c_encoded"]).max() <= 1e-6
    files = [name.removeprefix("micro ") for name in found if name.startswith("micro ")]
    for path in files:
        micro, lite = found[f"micro {path}"], found[f"lite {path}"]
        assert len(np.unique(micro, axis=0)) > EXAMPLES // 4
        assert np.array_equal(micro, found[f"reference {path}"]), path
        assert np.mean(micro != lite) < 0.01
        if micro.dtype == np.int8:
            assert np.abs(micro.astype(int) - lite).max() <= 1
    experts = found[f"reference {files[0]}"][:, : len(files) - 1].argmax(axis=1)
    logits = [found[f"reference {files[1 + one]}"][row] for row, one in enumerate(experts)]
    assert np.array_equal(found["c_experts"], experts)
    assert np.array_equal(found["c_labels"], np.argmax(logits, axis=1))
    same = (found["experts"] == found["c_experts"]) & (found["labels"] == found["c_labels"])
    assert np.mean(same) >= 0.98
    scores = np.abs(found["scores"] - found["c_scores"]).max(axis=1)
    assert np.median(scores) < 1e-6
    assert np.mean(scores < 1e-6) > 0.9


def test_it_compiles_without_a_warning_for_a_board_as_c_and_as_cpp(
    source: Path, tmp_path: Path
) -> None:
    files = sorted(source.glob("*.c"))
    assert len(files) == 6
    for file in files:
        compile_("arm-none-eabi-gcc", *BOARD, "-std=c99", "-c", file, "-o", tmp_path / "c.o")
        as_cpp = ("-x", "c++", "-std=c++11", "-c", file, "-o", tmp_path / f"{file.stem}.o")
        compile_("arm-none-eabi-g++", *BOARD, *as_cpp)
    # One name has one definition, also in C++, where constants are private to a file by default.
    objects = [tmp_path / f"{file.stem}.o" for file in files]
    (tmp_path / "main.cpp").write_text(
        '#include "edge_experts.h"\n'
        "int main() { return edge_experts_router.data[0] + edge_experts_labels[0][0]; }\n"
    )
    place = ("-std=c++11", "-I", source, "-specs=nosys.specs", tmp_path / "main.cpp")
    warnings = [one for one in BOARD if not one.startswith("-W")]
    compile_("arm-none-eabi-g++", *warnings, *place, *objects, "-lm", "-o", tmp_path / "firmware")


def test_the_glue_fits_the_declarations_of_tflite_micro(source: Path, tmp_path: Path) -> None:
    (tmp_path / "use.cpp").write_text(
        '#include "edge_experts_tflm.hpp"\n'
        "alignas(16) static uint8_t arena[EDGE_EXPERTS_ARENA_BYTES];\n"
        "static edge_experts::Runner runner(arena, sizeof arena);\n"
        "static float x[EDGE_EXPERTS_INPUTS];\n"
        "int use(edge_experts_answer *answer) {\n"
        "    edge_experts_encode(x, x);\n    return runner.ask(x, answer);\n}\n"
    )
    includes = ("-I", source, "-I", TFLM, "-c", tmp_path / "use.cpp", "-o", tmp_path / "u.o")
    compile_("arm-none-eabi-g++", *BOARD, "-std=c++11", *includes)


def test_its_answers_are_those_of_the_runtime(bundle: Path, source: Path) -> None:
    needs_the_oracle()
    values = np.random.default_rng(1).normal(2, 3, (EXAMPLES, 8, 8, 2)).astype(np.float32)
    values[:, :, :, 1] *= 50
    values[0, 0, 0] = np.nan, np.inf
    found = answers(bundle, source, examples=values)
    assert_equal(found)
    assert set(found["experts"]) == {0, 1, 2}
    assert set(found["labels"]) == {0, 1, 2}
    assert set(found["abstained"]) == {True, False}


def test_a_trained_table_from_the_command_line(tmp_path: Path, cli: Cli) -> None:
    needs_the_oracle()
    pytest.importorskip("tflite_micro")
    random, places = np.random.default_rng(0), ["Aach", 'B "b"', "Cham"]
    rows = [
        (random.normal(3, 2), random.integers(3), random.normal(1.7e9, 1e5)) for _ in range(600)
    ]
    lines = [
        f'{height:.3f},"{places[place].replace(chr(34), 2 * chr(34))}",{time:.0f},'
        f"{'high' if height + place > 4 else 'low'}"
        for height, place, time in rows
    ]
    (tmp_path / "t.csv").write_text("\n".join(["height,place,time,label", *lines]))
    (tmp_path / "t.toml").write_text("epochs = 3\nchoice_epochs = 1\ntune_epochs = 1\n")
    data = ("--data", tmp_path / "t.csv", "--config", tmp_path / "t.toml", "--no-pictures")
    run, bundle, source = tmp_path / "t.run", tmp_path / "t.bundle", tmp_path / "t_c"
    done = cli("train", *data, "--experts", 2, "--out", run)
    assert done.returncode == 0, done.stderr
    done = cli(
        "convert", run, "--out", bundle, "--target", "microcontroller", "--io", "integer",
        "--c-source", source, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["c_source"]
    entries = {entry.path: entry for entry in read_manifest(bundle).files}
    for path, sizes in said["files"].items():
        entry = entries[path]
        assert sizes == {"flash_bytes": entry.bytes, "arena_bytes": entry.arena_bytes}
    assert said["arena_bytes"] == max(entry.arena_bytes or 0 for entry in entries.values())
    assert (
        f"#define EDGE_EXPERTS_ARENA_BYTES {said['arena_bytes']}"
        in (source / "edge_experts_config.h").read_text()
    )

    numbers = np.array([(height, time) for height, _, time in rows[:EXAMPLES]])
    numbers[:4, 0] = np.nan, np.inf, 1e31, -1e29
    categories = np.array([place for _, place, _ in rows[:EXAMPLES]], np.int32)[:, None]
    categories[5] = -1
    assert_equal(answers(bundle, source, numbers=numbers, categories=categories))

    again = cli("export-c", bundle, "--out", source)
    assert again.returncode == 2
    assert "--force" in again.stderr
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    again = cli("export-c", bundle, "--out", source, "--force", "--json")
    assert again.returncode == 0, again.stderr
    assert before == {path.name: path.read_bytes() for path in source.iterdir()}
    assert json.loads(again.stdout)["arena_bytes"] == said["arena_bytes"]


def test_texts_are_refused_before_the_work(
    make_run: Any, make_model: Any, tmp_path: Path, cli: Cli
) -> None:
    run = make_run(make_model())
    done = cli("convert", run, "--out", tmp_path / "b", "--c-source", tmp_path / "c")
    assert done.returncode == 2
    assert "features of kind 'text'" in done.stderr
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("options", [{"top_k": 2}, {"second_share": 0.2}])
def test_models_that_ask_several_are_refused(run: Path, options: Any) -> None:
    from edge_experts.converters.c_source import refuse_run

    refuse_run(run)
    with pytest.raises(UnsuitableError, match="--top-k 1"):
        refuse_run(run, **options)


def test_what_is_refused_leaves_nothing_and_spares_the_bundle(bundle: Path, tmp_path: Path) -> None:
    before = sorted(bundle.rglob("*"))
    for out in (bundle, bundle / "c"):
        with pytest.raises(UsageError, match="outside"):
            c_source(bundle, out, force=True)
    assert sorted(bundle.rglob("*")) == before
    damaged = Path(shutil.copytree(bundle, tmp_path / "b"))
    content = bytearray((damaged / "experts" / "001.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / "experts" / "001.tflite").write_bytes(content)
    with pytest.raises(Exception, match="damaged"):
        c_source(damaged, tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
