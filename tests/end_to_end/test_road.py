"""The whole road through the command line, on real sentences and on a user's own file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_experts.format.manifest import MODEL_CARD
from tests.conftest import Cli

COMMANDS = (
    "quickstart", "train", "convert", "evaluate", "compare", "run", "benchmark", "inspect",
    "verify", "doctor",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(cli: Cli, command: str) -> None:
    done = cli(command, "--help")
    assert done.returncode == 0
    assert f"\n  edge-experts {command}" in done.stdout.partition("\nExample")[2]


def test_the_run_folder_holds_what_it_says(sentiment_run: Path) -> None:
    run = json.loads((sentiment_run / "run.json").read_text())
    assert run["labels"] == ["negative", "positive"]
    assert run["config"]["experts"] == 3
    assert run["metrics"]["test_accuracy"] > 0.75
    assert sum(run["metrics"]["expert_usage"]) == pytest.approx(1, abs=0.01)
    assert set(run["versions"]) >= {"python", "tensorflow", "tf-keras", "numpy"}
    assert list((sentiment_run / "logs").rglob("events.out.tfevents*"))


def test_evaluate_measures_the_deployed_accuracy(cli: Cli, sentiment_bundle: Path) -> None:
    done = cli("evaluate", sentiment_bundle, "--data", "sentiment", "--json")
    found = json.loads(done.stdout)
    assert found["examples"] == 4127
    assert found["accuracy"] > 0.75
    assert sum(found["expert_usage"]) == pytest.approx(1, abs=0.001)
    manifest = json.loads((sentiment_bundle / "manifest.json").read_text())
    assert found["accuracy"] == pytest.approx(manifest["provenance"]["test_accuracy"], abs=1e-6)
    assert f"{found['accuracy']:.4f}" in (sentiment_bundle / MODEL_CARD).read_text()


def test_a_missed_threshold_ends_with_5(cli: Cli, sentiment_bundle: Path) -> None:
    done = cli("evaluate", sentiment_bundle, "--data", "sentiment", "--min-accuracy", 0.99)
    assert done.returncode == 5
    assert "below --min-accuracy 0.99" in done.stderr


def test_run_answers_arguments_files_and_streams_alike(
    cli: Cli, sentiment_bundle: Path, tmp_path: Path
) -> None:
    texts = ["a film to remember", "", "dull :-(", "größer & schöner 😀"]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    ways = [
        cli("run", sentiment_bundle, "--json", *texts),
        cli("run", sentiment_bundle, "--json", "--input", tmp_path / "texts.txt"),
        cli("run", sentiment_bundle, "--json", stdin="\n".join(texts) + "\n"),
    ]
    answers = [[json.loads(line) for line in done.stdout.splitlines()] for done in ways]
    for answer in answers[0]:
        told = {"label", "score", "expert", "experts", "abstained", "timings"}
        told |= {"degraded", "reason", "warnings"}
        assert set(answer) == {"schema_version", *told}
        assert set(answer["timings"]) == {"features_us", "route_us", "load_us", "invoke_us"}
    for way in answers:
        assert [one["score"] for one in way] == [one["score"] for one in answers[0]]
    assert len(answers[0]) == len(texts)


def test_verify_and_inspect(cli: Cli, sentiment_bundle: Path) -> None:
    done = cli("verify", sentiment_bundle)
    assert "32 golden examples answered as published" in done.stdout
    shown = cli("inspect", sentiment_bundle).stdout
    assert "experts/002.tflite" in shown
    assert json.loads(cli("inspect", sentiment_bundle, "--json").stdout)["labels"]


def test_doctor_runs_a_model(cli: Cli) -> None:
    found = json.loads(cli("doctor", "--json").stdout)
    assert found["interpreter"]["interpreter"] in ("tflite_runtime", "ai_edge_litert")
    assert found["missing_extras"] == []


def test_a_users_own_file_from_training_to_benchmark(
    cli: Cli, tmp_path: Path, quick_config: Path
) -> None:
    """Three labels, four commands, no option but names."""
    kinds = {
        "rain": ["wet and grey", "umbrella weather", "it pours"],
        "snow": ["cold and white", "a sledge day", "flakes everywhere"],
        "sun": ["warm and bright", "ice cream time", "not a cloud"],
    }
    rows = [
        f"{label}\t{phrase} number {n}"
        for n in range(40)
        for label, phrases in kinds.items()
        for phrase in phrases
    ]
    (tmp_path / "weather.tsv").write_text("label\ttext\n" + "\n".join(rows) + "\n")
    steps = [
        ("train", "--data", "weather.tsv", "--out", "w.run", "--config", quick_config),
        ("train", "--data", "weather.tsv", "--out", "all.run", "--config", quick_config,
         "--dense", "all"),
        ("convert", "w.run", "--out", "w.bundle"),
        ("convert", "all.run", "--out", "all.bundle"),
    ]  # fmt: skip
    for step in steps:
        done = cli(*step, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    found = json.loads(
        cli("evaluate", "w.bundle", "--data", "weather.tsv", "--json", cwd=tmp_path).stdout
    )
    assert found["accuracy"] > 0.9
    done = cli("run", "w.bundle", "umbrella weather number 7", cwd=tmp_path)
    assert done.stdout.startswith("rain\t")
    done = cli(
        "benchmark", "w.bundle", "--against", "all.bundle", "--json", "--rounds", 5, cwd=tmp_path
    )
    report = json.loads(done.stdout)
    assert [row["name"] for row in report["rows"]] == ["sparse experts", "reference loop", "all"]
    for row in report["rows"]:
        times = row["warm"]["total_us"]
        assert 0 < times["p50"] <= times["p99"] <= times["max"]
    assert set(report["warm"]["parts_us"]) == {"features", "route", "load", "invoke"}
    assert 20 < report["golden_examples"] <= 32
    assert report["rows"][0]["growth"]["base_bytes"] > 10_000_000
    assert report["schema_version"]
    text = cli("benchmark", "w.bundle", "--rounds", 5, "--report", "r.html", cwd=tmp_path).stdout
    page = (tmp_path / "r.html").read_text()
    assert "Side by side" in page
    assert "sparse experts" in page
    assert "reference loop" in text
    assert "--dense all" in text, "without a rival it says how to make one"


def test_two_benchmarks_are_compared(cli: Cli, tmp_path: Path, sentiment_bundle: Path) -> None:
    for name in ("a", "b"):
        done = cli(
            "benchmark", sentiment_bundle, "--json", "--seconds", 2, "--raw", f"{name}.csv",
            cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (tmp_path / f"{name}.json").write_text(done.stdout)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == "contender,session,round,input,microseconds"
    ours = json.loads((tmp_path / "a.json").read_text())
    assert len(lines) - 1 == sum(row["warm"]["answers"] for row in ours["rows"])
    assert ours["rows"][0]["warm"]["answers"] >= 1024
    assert ours["sessions"] == 8
    low, high = ours["rows"][0]["p50_interval_us"]
    assert low <= ours["rows"][0]["warm"]["total_us"]["p50"] <= high
    found = json.loads(
        cli("benchmark", "--compare", "a.json", "b.json", "--json", cwd=tmp_path).stdout
    )
    assert found["paired"]
    assert [change["name"] for change in found["changes"]] == ["sparse experts", "reference loop"]
    ratios = [json.loads((tmp_path / f"{name}.json").read_text())["rows"] for name in "ab"]
    first, second = (rows[1]["ratio"] for rows in ratios)
    assert found["changes"][1]["relative"] == pytest.approx(second / first, rel=1e-3)
    text = cli("benchmark", "--compare", "a.json", "b.json", cwd=tmp_path).stdout
    assert "beside sparse" in text
    assert cli("benchmark", "--compare", "a.json", "a.csv", cwd=tmp_path).returncode == 2
    assert cli("benchmark", cwd=tmp_path).returncode == 2


def test_a_benchmark_ends_with_5_beyond_a_threshold(cli: Cli, sentiment_bundle: Path) -> None:
    for option, limit in (("--max-p50", "0.001"), ("--max-growth", "1KB")):
        done = cli("benchmark", sentiment_bundle, "--rounds", 3, option, limit)
        assert done.returncode == 5
        assert f"{option} allows" in done.stderr
        assert "side by side" in done.stdout
    within = ("--max-p50", "1000000", "--max-growth", "1GB")
    assert cli("benchmark", sentiment_bundle, "--rounds", 3, *within).returncode == 0


def test_bundles_are_not_compared_across_kinds_of_input(
    cli: Cli, bundle: Path, sentiment_bundle: Path
) -> None:
    done = cli("benchmark", sentiment_bundle, "--against", bundle, "--against", bundle)
    assert done.returncode == 2
    assert "folder name of its own" in done.stderr


def test_the_boards_own_suite_passes(sentiment_bundle: Path) -> None:
    """As on a Raspberry Pi: in a process that never imports TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "device_tests",
         "--bundle", str(sentiment_bundle)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_boards_own_suite_skips_nothing_silently() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "device_tests"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 1
    assert "--bundle sentiment.bundle" in done.stdout
