"""Programs of `python -m benchmarks`: their list, their help, and short runs on a tiny bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks.__main__ import app
from edge_experts.errors import EdgeExpertsError, ManifestError, UsageError
from tests.tiny import tiny_bundle

NAMES = (
    *("overhead", "loading", "kernels", "attention", "startup", "scale", "memory", "tight"),
    "soak",
    *("mutations", "drift"),
    *("serving-load", "training-speed", "translator-training-speed", "precision-speed"),
    *("resume", "new-domain", "backbone", "gains", "anomalies"),
    *("language-models", "perplexity"),
    *("routing-options", "one-file", "moe", "memory-limit", "synthetic-moe", "record-routes"),
    *("conversion-speed",),
    *("synthetic", "synthetic-translators", "synthetic-language"),
    *("auto-evaluation", "every-recipe", "generated", "label-thresholds", "layers"),
    *("unicode", "emoji", "cutouts", "speech", "watch", "tokenizer", "structure"),
    "install-sizes",
)
MAKERS = (
    "synthetic",
    "synthetic-translators",
    "synthetic-language",
    "synthetic-moe",
    "record-routes",
    "emoji",
    "cutouts",
    "speech",
    "watch",
)  # write a bundle or a folder and print nothing
HEAVY = ("numpy", "tensorflow", "tf_keras", "tflite_runtime", "ai_edge_litert")
WIDTH = 80
# Short runs, the options that make them short, and a key of the JSON.
RUNS: tuple[tuple[str, Sequence[str], str], ...] = (
    ("overhead", ("--answers", "40", "--switches", "8"), "warm"),
    ("loading", (), "ways"),
    ("kernels", (), "settings"),
    ("mutations", ("--count", "40"), "by_mutation"),
    ("mutations", ("--only", "3", "--seed", "1"), "outcome"),
    ("soak", ("--requests", "300", "--threads", "2", "--experts", "1"), "quarters"),
    ("tight", ("--cap", "96", "--budget", "1"), "answered"),
)
# `main` with one process for each figure rather than several.
ONE_PROCESS = """
from benchmarks.__main__ import main
from benchmarks.runtime import kernels, loading
kernels._PROCESSES = loading._PROCESSES = 1
main()
"""
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def _run(*arguments: object, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program in a separate process."""
    start = ("-c", code) if code else ("-m", "benchmarks")
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1"},
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("tiny") / "tiny.bundle", seeds=(0, 1))


def test_help_lists_every_program_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from benchmarks.__main__ import main\n"
        "try:\n    main()\n"
        f"finally:\n    print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    )
    done = _run("--help", code=code)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "[]"
    listed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("│ ")]
    assert [name for name in listed if not name.startswith("-")] == list(NAMES)
    assert all("…" not in line and len(line) <= WIDTH for line in done.stdout.splitlines())


def test_programs_are_registered_once() -> None:
    assert list(COMMANDS) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_program_has_help_with_an_example(name: str) -> None:
    done = _run(name, "--help")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert any(line.strip().startswith(f"Example: python -m benchmarks {name}") for line in lines)
    assert "…" not in done.stdout
    options = [parameter for parameter in COMMANDS[name].params if parameter.name != "help"]
    assert all(parameter.help for parameter in options)
    has_json = any("--json" in parameter.opts for parameter in options)
    assert has_json == (name not in MAKERS)


def _skip_without_cgroups(name: str, done: subprocess.CompletedProcess[str]) -> None:
    if name == "tight" and "no cgroup" in done.stderr:
        pytest.skip(done.stderr)


@pytest.mark.parametrize(("name", "options", "key"), RUNS)
def test_programs_print_json_or_text(
    bundle: Path, name: str, options: Sequence[str], key: str
) -> None:
    code = ONE_PROCESS if name in ("kernels", "loading") else ""
    done = _run(name, bundle, *options, "--json", code=code)
    _skip_without_cgroups(name, done)
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    assert content["schema_version"] == "1.0"
    assert key in content
    done = _run(name, bundle, *options, code=code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 2
    assert not done.stdout.startswith("{")


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        *((name, (), ManifestError) for name in ("overhead", "soak", "mutations", "startup")),
        *((name, (), ManifestError) for name in ("loading", "kernels", "tight")),
        ("attention", ("--contexts", "100"), UsageError),
        ("routing-options", ("--margins", "2"), UsageError),
        ("synthetic", ("--experts", "2", "--hidden", "few"), UsageError),
        ("every-recipe", ("--recipes", "int4"), UsageError),
        ("synthetic-translators", ("--experts", "3"), UsageError),
        ("synthetic-language", ("--dense", "one"), UsageError),
        ("synthetic-language", ("--one-file", "one.tflite"), UsageError),
        ("perplexity", ("--tokens", "100"), ManifestError),
        ("soak", ("--requests", "15"), UsageError),
    ],
)
def test_errors_end_with_their_exit_code(
    tmp_path: Path, name: str, options: Sequence[str], error: type[EdgeExpertsError]
) -> None:
    done = _run(name, tmp_path / "absent", *options)
    assert (done.returncode, done.stdout) == (error.exit_code, "")
    *progress, line = done.stderr.splitlines()
    assert all(one.endswith(" ...") for one in progress)
    assert line.startswith("benchmarks: ")
    assert "Traceback" not in line


def test_failed_thresholds_end_with_5(bundle: Path) -> None:
    code = (
        "import device_tests.soak as soak; from benchmarks.__main__ import main\n"
        "soak._LEVEL = -10**12\n"
        "main()"
    )
    done = _run("soak", bundle, "--requests", "20", "--experts", "1", "--json", code=code)
    assert done.returncode == 5
    assert json.loads(done.stdout)["wrong"] == 0
    assert "memory grew" in done.stderr


def test_an_interrupt_ends_with_130(bundle: Path) -> None:
    code = (
        "import device_tests.soak as soak; from benchmarks.__main__ import main\n"
        "def interrupted(*_, **__): raise KeyboardInterrupt\n"
        "soak.soak = interrupted\n"
        "main()"
    )
    assert _run("soak", bundle, code=code).returncode == 130


def test_random_texts_have_the_same_tokens_on_this_python() -> None:
    done = _run("unicode", "--count", "200", "--python", sys.executable, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["different"] for one in found["pythons"]] == [0, 0]
    done = _run("unicode", "--python", "/no/such/python")
    assert done.returncode == 6
    assert "/no/such/python" in done.stderr


def test_a_budget_counts_what_a_tokenizer_takes() -> None:
    done = _run("tokenizer", "--tokens", "20000", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (one,) = found["vocabularies"]
    assert one["tokens"] == 20_000
    assert 0.7 < one["memory_bytes"] / one["counted_bytes"] < 1.3
    assert found["rendering_ms"] > 0
