"""The benchmark of bundles whose experts write: tokens, time to the first, rivals, and the page."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.benchmarking import contender, score, session
from edge_experts.benchmarking.reference_loop import reference_texts
from edge_experts.benchmarking.session import Session
from edge_experts.benchmarking.throughput import writing
from edge_experts.format.manifest import expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.tasks.translation.writer import Written

from ...attacks.bundles import publish
from ...conftest import Cli

EXAMPLES = [("open the file", "de"), ("close old page", "fr"), ("print", "de")]


def test_the_reference_loop_writes_the_same(translator_bundle: Path) -> None:
    ask = reference_texts(translator_bundle)
    with ExpertRuntime(translator_bundle) as runtime:
        for example in golden.read(translator_bundle).inputs:
            assert ask(example) == runtime.predict(example).text


@pytest.fixture(scope="module")
def dense(translator_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rival: one expert for both languages, the first one of the sparse bundle."""
    folder = tmp_path_factory.mktemp("dense") / "dense.bundle"
    shutil.copytree(translator_bundle, folder)
    (folder / expert_path(1)).unlink()
    manifest = read_manifest(folder)
    publish(folder, replace(manifest, experts=manifest.experts[:1]))
    return folder


@pytest.mark.parametrize(
    "validation",
    [None, [], {}, {"deployed": 3, "examples": 4}, {"deployed": {"chrf": "x"}, "examples": 4},
     {"deployed": {"chrf": 101}, "examples": 4}, {"deployed": {"chrf": 50}, "examples": 0}],
)  # fmt: skip
def test_how_well_it_translates_is_told_where_its_maker_told_it(
    translator_bundle: Path, dense: Path, validation: Any
) -> None:
    told = read_manifest(translator_bundle).provenance["validation"]
    found = contender.read(translator_bundle).chrf
    assert found == score.Chrf(told["deployed"]["chrf"], told["examples"])
    manifest = read_manifest(dense)
    publish(dense, replace(manifest, provenance={"validation": validation}))
    assert contender.read(dense).chrf is None
    publish(dense, manifest)


def test_tokens_and_the_first_one_are_noted_for_every_round(
    translator_bundle: Path, dense: Path
) -> None:
    found = session.run(
        {"ours": translator_bundle, "dense": dense},
        {"loop": translator_bundle},
        EXAMPLES,
        rounds=3,
        seconds=0.0,
        threads=1,
        seed=0,
    )
    for name, bundle in (("ours", translator_bundle), ("dense", dense)):
        assert found.times[name].shape == found.first_us[name].shape == (3, 3)
        assert (found.first_us[name] > 0).all()
        assert (found.first_us[name] < found.times[name]).all()
        with ExpertRuntime(bundle) as runtime:
            answers = map(runtime.predict, EXAMPLES)
            counts = [len(one.pieces) for one in answers if isinstance(one, Written)]
        assert found.tokens[name].tolist() == counts
    assert found.times["loop"].shape == (3, 3)
    assert "loop" not in found.tokens


@pytest.mark.parametrize(
    ("turns", "passed", "seconds", "goes_on"),
    [
        (1, 99.0, 0.0, True),  # two rounds, however slow
        (2, 9.0, 0.0, True),
        (2, 11.0, 0.0, False),
        (2, 11.0, 20.0, True),  # the user asked for as long
        (40, 1.0, 0.0, False),
        (40, 1.0, 2.0, True),
        (40, 2.0, 2.0, False),
    ],
)
def test_slow_answers_are_asked_less_often(
    turns: int, passed: float, seconds: float, goes_on: bool
) -> None:
    assert session._goes_on(turns, passed, 40, seconds, patience=10.0) is goes_on


def test_parts_are_told_of_as_many_rounds_as_there_were(translator_bundle: Path) -> None:
    for patience in (0.0, 60.0):
        found = session.run(
            {"ours": translator_bundle}, {}, EXAMPLES, rounds=3, seconds=0.0,
            patience=patience, threads=1, seed=0,
        )  # fmt: skip
        assert len(found.times["ours"]) == (3 if patience else 2)
        assert len(found.timings) == found.times["ours"].size


def test_what_tokens_and_times_come_to() -> None:
    def one(factor: float) -> Session:
        times = np.array([[1000.0, 3000.0], [2000.0, 2000.0], [3000.0, 5000.0]]) * factor
        return Session(
            {"ours": times, "loop": 2 * times, "labels": times},
            [],
            under_load=None,  # type: ignore[arg-type]
            tokens={"ours": np.array([3, 5])},
            first_us={"ours": times / 10},
        )

    ours = writing("ours", "ours", [one(1), one(2)])
    assert ours is not None
    assert ours.tokens == 8
    assert ours.session_tokens_per_second == (2000.0, 1000.0)  # the median round takes 4 ms, 8 ms
    assert ours.tokens_per_second == 1000.0
    low, high = ours.tokens_per_second_interval
    assert low < 1000 < high
    assert ours.first_token is not None
    assert ours.first_token.answers == 12
    assert ours.first_token.total_us["max"] == 1000
    loop = writing("loop", "ours", [one(1), one(2)])
    assert loop is not None
    assert (loop.tokens_per_second, loop.first_token) == (500.0, None)
    assert writing("labels", "labels", [one(1)]) is None


@pytest.fixture(scope="module")
def result(
    translator_bundle: Path, dense: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    done = cli("benchmark", translator_bundle, "--against", dense, "--rounds", 2, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_benchmark_of_translators(result: dict[str, Any], translator_bundle: Path) -> None:
    assert result["golden_examples"] == result["inputs"] == 8
    rows = {row["name"]: row for row in result["rows"]}
    assert list(rows) == ["sparse experts", "reference loop", "dense"]
    for name, row in rows.items():
        made, warm = row["generation"], row["warm"]["total_us"]
        assert made["tokens"] > 8
        assert len(made["session_tokens_per_second"]) == 8
        low, high = made["tokens_per_second_interval"]
        assert low <= made["tokens_per_second"] <= high
        if name != "reference loop":
            assert 0 < made["first_token"]["total_us"]["p50"] < warm["p99"]
            assert len(made["first_token"]["quantiles_us"]) == 101
    assert rows["reference loop"]["generation"]["first_token"] is None
    for phase in ("first_cached", "switch_cached", "warm"):
        assert result[phase]["parts_us"]["invoke"]["p50"] > 0
    grown, largest = (
        rows["sparse experts"]["growth"],
        max(entry.bytes for entry in read_manifest(translator_bundle).experts),
    )
    assert grown["bound_bytes"] == 2 * largest + 4_000_000
    assert grown["experts_visited"] == 2
    loads, evictions = grown["timeline"]["loads"], grown["timeline"]["evictions"]
    assert len(loads) == len(evictions) + 1 == grown["answers"] // 2
    assert result["experts"]["names"] == ["de", "fr"]
    assert result["experts"]["answers"] == [[0, 0, 4], [1, 1, 4]]


def test_two_benchmarks_of_translators_are_compared(
    result: dict[str, Any], tmp_path: Path, cli: Cli
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(result))
    done = cli("benchmark", "--compare", tmp_path / "a.json", tmp_path / "a.json")
    assert done.returncode == 0, done.stderr
    assert "dense: no difference found" in done.stdout


def test_lines_of_a_file_are_asked_sentence_by_sentence(
    translator_bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("Open the file. Close the page.\nprint\n")
    done = cli("benchmark", translator_bundle, "--input", lines, "--to", "fr", "--rounds", 1)
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("writing") :].splitlines()
    assert [line[:14] for line in table[1:3]] == ["sparse experts", "reference loop"]
    assert "tokens/s" in table[0]
    assert "experts were loaded" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "fr"], "--to needs --input"),
        (["--input", "lines.txt"], "name what to translate to (--to): de, fr"),
        (["--input", "lines.txt", "--to", "tlh"], "--to must be one of de, fr, got 'tlh'"),
        (["--input", "empty.txt", "--to", "fr"], "the text is empty"),
        (["--against", "german.bundle"], "german.bundle: does not accept the same inputs: cannot"),
        (["--against", "tiny.bundle"], "takes array inputs"),
    ],
)
def test_what_cannot_be_measured_is_said_before_the_work(
    translator_bundle: Path, dense: Path, tmp_path: Path, cli: Cli, options: list[str], message: str
) -> None:
    from ...tiny import tiny_bundle

    (tmp_path / "lines.txt").write_text("print\n")
    (tmp_path / "empty.txt").write_text("\n")
    tiny_bundle(tmp_path / "tiny.bundle")
    german = Path(shutil.copytree(dense, tmp_path / "german.bundle"))
    manifest = read_manifest(german)
    features = replace(manifest.features, config={**manifest.features.config, "targets": ["de"]})
    publish(german, replace(manifest, labels=("de",), features=features))
    done = cli("benchmark", translator_bundle, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "warm, side by side" not in done.stderr


def test_monitor_says_that_it_watches_no_translations(translator_bundle: Path, cli: Cli) -> None:
    done = cli("monitor", translator_bundle, stdin="print\n")
    assert done.returncode == 2
    assert "monitoring is not supported for translation" in done.stderr


def test_to_is_for_translators(many_experts: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "lines.txt").write_text("[]\n")
    for command, message in (
        ("run", "--to is for bundles of translation; this one is of classification"),
        ("benchmark", "--to is for bundles of translation"),
    ):
        done = cli(command, many_experts, "--input", tmp_path / "lines.txt", "--to", "de")
        assert done.returncode == 2
        assert message in done.stderr


@pytest.mark.parametrize("option", [("--show", 3), ("--min-chrf", 40)])
def test_options_of_translators_are_refused_for_labels(
    many_experts: Path, tmp_path: Path, cli: Cli, option: tuple[str, int]
) -> None:
    data = tmp_path / "d.csv"
    data.write_text("a,label\n1,0\n")
    done = cli("evaluate", many_experts, "--data", data, *option)
    assert done.returncode == 2
    assert f"{option[0]} is for bundles of translation" in done.stderr
