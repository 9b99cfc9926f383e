"""Fixtures that all tests share: the command line, and a bundle made by it from real sentences."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from .warm import COMMANDS, DEVICE_COMMANDS, warm_python

# A busy machine makes any single example slow, which says nothing about the code.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

# Each process of the suite has a core: more threads of TensorFlow would wait for another's.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(_name, "1")

ROOT = Path(__file__).parents[1]
Cli = Callable[..., subprocess.CompletedProcess[str]]
Shared = Callable[[str, Callable[[Path], object]], Path]

# Folders of tests that run, in the order of names, before any that has TensorFlow in its process.
_WITHOUT_TENSORFLOW = tuple(
    f"tests/{folder}/" for folder in ("attacks", "benchmarks", "contract", "deploying", "device")
)
# What takes minutes on two cores: `pytest -m long` runs it, as .ci/run does.
_LONG = (
    "tests/attacks/test_mutations.py::test_no_accident_makes_a_wrong_answer_of_a_trained",
    "tests/benchmarks/test_residency.py::test_engines_are_compared",
    "tests/contract/test_conversion.py",
    "tests/contract/test_json.py::test_a_command_prints_the_keys_of_0_1_0[advise]",
    "tests/contract/test_json.py::test_a_command_prints_the_keys_of_0_1_0[compare]",
    "tests/contract/test_json.py::test_a_command_prints_the_keys_of_0_1_0[convert --quant",
    "tests/deploying/test_other_versions.py",
    "tests/device/benchmarking/test_runtime_benchmarks.py::test_a_soak_in",
    "tests/device/benchmarking/test_runtime_benchmarks.py::test_soaks",
    "tests/device/runtime/test_confidence.py::test_evaluate_tells",
    "tests/documents/test_commands.py::test_a_shown_command_runs",
    "tests/emulated/",
    "tests/end_to_end/test_backbone.py",
    "tests/end_to_end/test_compare.py",
    "tests/end_to_end/test_drift.py",
    "tests/end_to_end/test_kinds.py::test_advice",
    "tests/end_to_end/test_kinds.py::test_from_file_to_benchmark[_images",
    "tests/end_to_end/test_kinds.py::test_from_file_to_benchmark[_windows",
    "tests/end_to_end/test_kinds.py::test_the_documents",
    "tests/end_to_end/test_named_sets.py",
    "tests/end_to_end/test_photos.py",
    "tests/end_to_end/test_real_photos.py",
    "tests/end_to_end/test_sounds.py",
    "tests/end_to_end/test_road.py::test_a_benchmark_ends_with_5",
    "tests/end_to_end/test_road.py::test_two_benchmarks",
    "tests/end_to_end/test_ways_in.py::test_every_way_in_gives_the_same_answers[images",
    "tests/host/benchmarks/test_gains.py::test_a_tiny_set",
    "tests/host/benchmarks/test_language_study.py::test_a_study",
    "tests/host/benchmarks/test_layer_matrix.py::test_a_sample_of_the_matrix",
    "tests/host/converters/test_c_source.py::test_a_trained_table",
    "tests/host/converters/test_checkpoint_resuming.py::test_a_killed",
    *(
        f"tests/host/converters/test_checkpoints.py::test_the_logits_are_those_of_{one}"
        for one in (
            *("transformers[granite-", "transformers[llama-b", "transformers[llama-s"),
            *("transformers[mixtral", "transformers[olmoe-", "transformers[qwen2-moe]"),
            *("transformers[qwen2-moe-t", "transformers[qwen3-moe-"),
        )
    ),
    "tests/host/converters/test_choosing.py",
    "tests/host/converters/test_compressing.py::test_experts_on_a_trunk",
    "tests/host/converters/test_compressing.py::test_zeros_reach",
    "tests/host/converters/test_generated_models.py",
    "tests/host/converters/test_making.py",
    "tests/host/converters/test_regression.py",
    "tests/host/converters/test_translator_targets.py",
    "tests/host/experiments/test_comparing.py::test_all_rows",
    "tests/host/experiments/test_comparing_texts.py::test_language_models",
    "tests/host/experiments/test_new_domain.py",
    "tests/host/test_cluster.py::test_a_cluster_compares",
    "tests/host/training/test_adopting.py::test_the_documents",
    "tests/host/training/test_checkpoints.py::test_a_killed",
    "tests/host/training/test_choosing.py::test_where_experts_gain_nothing",
    "tests/host/training/test_compression.py",
    "tests/host/training/test_distribution.py",
    "tests/host/training/test_extension.py::test_an_expert_is_added_to_one",
    "tests/host/training/test_extension.py::test_an_expert_that_gains_nothing",
    "tests/host/training/test_extension.py::test_few_rows",
    "tests/host/training/test_language_model.py::test_an_ended_training",
    "tests/host/training/test_pictures.py::test_many_experts",
    "tests/host/training/test_regression.py::test_a_mixture",
    "tests/host/training/test_regression.py::test_a_training_leaves_pictures",
    "tests/host/training/test_resuming.py::test_a_loop",
    "tests/host/training/test_resuming.py::test_every_stage_goes_on",
    "tests/host/training/test_resuming.py::test_every_step_of_a_compression",
    "tests/host/training/test_resuming.py::test_translators",
    "tests/host/training/test_routers.py::test_every_router_trains_and_converts[kmeans",
    "tests/host/training/test_teacher.py::test_it_corrects",
    "tests/host/training/test_translation_domains.py",
    "tests/web/test_features.py::test_arrays[all",
    "tests/web/test_features.py::test_rows[all",
    "tests/web/test_features.py::test_sounds[all",
    "tests/web/test_features.py::test_texts[all",
    "tests/web/test_kinds.py::test_a_trained",
    "tests/web/test_kinds.py::test_trained",
    "tests/web/test_trust.py::test_manifests_are_accepted_and_refused_as_by_python[all",
)
# Small but real: every stage of the training runs, on the real data.
QUICK = "warm_epochs = 1\nepochs = 2\nchoice_epochs = 1\ntune_epochs = 1\nteacher_epochs = 0\n"


def run_cli(
    *arguments: object, stdin: str = "", env: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run `edge-experts` in a separate process, as a user does.

    Most are forks of a process that has imported what they need: see `tests.warm`.
    """
    words = [*map(str, arguments)]
    python = sys.executable
    if words and "preexec_fn" not in options:
        python = warm_python("host") if words[0] in COMMANDS else python
        python = warm_python("device") if words[0] in DEVICE_COMMANDS else python
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [python, "-m", "edge_experts", *words],
        capture_output=True,
        text=True,
        input=stdin,
        env={**os.environ, **(env or {})},
        timeout=600,
        check=False,
        **options,
    )
    return done


@pytest.fixture(scope="session")
def cli() -> Cli:
    return run_cli


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Shared:
    """Makes a folder once for all processes of the suite (pytest-xdist); not to be changed.

    What makes it must leave it whole or not at all.
    """
    base = tmp_path_factory.getbasetemp()
    base = base if worker_id == "master" else base.parent

    def folder(name: str, make: Callable[[Path], object]) -> Path:
        path = base / "shared" / name
        path.parent.mkdir(exist_ok=True)
        with path.with_name(f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                make(path)
        return path

    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(_LONG):
            item.add_marker(pytest.mark.long)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fails for a module that imports TensorFlow before a test runs.

    Tests of the device part run in the same processes, and TensorFlow there would lend its kernels
    to the interpreter: a wrong result would look right.
    """
    before = "tensorflow" in sys.modules
    report = yield
    if not before and "tensorflow" in sys.modules:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} imports TensorFlow at its top: only a test may"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fails a test that leaves TensorFlow in a process where tests of the device part follow."""
    yield
    if "tensorflow" in sys.modules and item.nodeid.startswith(_WITHOUT_TENSORFLOW):
        pytest.fail(f"{item.nodeid} imports TensorFlow, which tests/host may, as it runs later")


def _interpreter() -> str:
    from edge_experts.runtime.interpreter import package

    return package()


def _succeed(*arguments: object) -> None:
    done = run_cli(*arguments)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def quick_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "quick.toml"
    path.write_text(QUICK)
    return path


@pytest.fixture(scope="module")
def two_layers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package of the task "two-layers" is installed, also for child processes."""
    from . import layered

    with layered.installed_plugin(tmp_path_factory.mktemp("site")):
        yield


@pytest.fixture(scope="session")
def sentiment_run(shared: Shared, quick_config: Path) -> Path:
    options = ("--data", "sentiment", "--experts", 3, "--config", quick_config)
    return shared("sentiment.run", lambda out: _succeed("train", *options, "--out", out))


@pytest.fixture(scope="session")
def sentiment_bundle(shared: Shared, sentiment_run: Path) -> Path:
    return shared("sentiment.bundle", lambda out: _succeed("convert", sentiment_run, "--out", out))


@pytest.fixture(scope="session")
def translator_run(shared: Shared) -> Path:
    """A tiny translator's; trained in a separate process, as the device's tests need it."""
    command = [sys.executable, "-m", "tests.translators", "train"]
    return shared("toy.run", lambda out: subprocess.run([*command, str(out)], cwd=ROOT, check=True))


@pytest.fixture(scope="session")
def translator_bundle(shared: Shared, translator_run: Path) -> Path:
    return shared(
        "toy.bundle", lambda out: _succeed("convert", translator_run, "--out", out, "--beams", 2)
    )


@pytest.fixture(scope="session")
def language_text(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Text and configuration of a tiny language model."""
    from . import language

    return language.write(tmp_path_factory.mktemp("language"))


@pytest.fixture(scope="session")
def language_run(shared: Shared, language_text: tuple[Path, Path]) -> Path:
    data, config = language_text
    options = ("--data", data, "--task", "language-model", "--config", config)
    return shared("language.run", lambda out: _succeed("train", *options, "--out", out))


@pytest.fixture(scope="session")
def language_bundle(shared: Shared, language_run: Path) -> Path:
    """Its files run on both interpreters."""
    options = ("--target", "pi-bookworm") if "tflite" in _interpreter() else ()
    return shared(
        "language.bundle", lambda out: _succeed("convert", language_run, *options, "--out", out)
    )


@pytest.fixture(scope="session")
def chat_bundle(shared: Shared, language_bundle: Path) -> Path:
    """Its vocabulary as a tokenizer.json, with a chat template."""
    from . import chatting

    return shared("chat.bundle", lambda out: chatting.bundle(language_bundle, out))


@pytest.fixture
def bundle(tmp_path: Path, sentiment_bundle: Path) -> Path:
    """A copy of the bundle, to damage."""
    return Path(shutil.copytree(sentiment_bundle, tmp_path / "sentiment.bundle"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The system's Chromium, which CI must have (.ci/run installs it)."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed")
        pytest.skip("Chromium, which shows the page, is not on this machine; CI has it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What users install."""
    folder, source = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source")
    # A copy: what an earlier build left in the tree would be shipped again.
    for name in ("edge_experts", "converters"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))
