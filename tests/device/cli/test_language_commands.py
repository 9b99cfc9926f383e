"""Commands on a bundle of a language model: streams, JSON, refusals, perplexity, measurements."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import language

KEYS = {
    *("text", "tokens", "tokens_per_second", "seconds_to_first_token", "token_ids"),
    *("finish_reason", "expert_loads", "expert_hits", "bytes_read"),
}


def test_run_prints_the_text_and_json_the_whole(cli: Any, language_bundle: Path) -> None:
    prompt = "3: " + language.sentence(0, 4)
    plain = cli("run", language_bundle, prompt, "--max-tokens", 12)
    assert plain.returncode == 0, plain.stderr
    done = cli("run", language_bundle, prompt, "--max-tokens", 12, "--json")
    told = json.loads(done.stdout)
    assert set(told) >= KEYS
    assert plain.stdout == told["text"] + "\n"
    assert told["tokens"] == len(told["token_ids"]) == 12
    assert told["finish_reason"] == "length"
    assert told["expert_loads"] + told["expert_hits"] > 12
    stop = told["text"][3:8]
    ended = cli("run", language_bundle, prompt, "--stop", stop, "--stop", "never")
    assert ended.stdout == told["text"][: told["text"].index(stop)] + "\n"


def test_lines_of_stdin_are_prompts_and_a_long_one_is_reported(
    cli: Any, language_bundle: Path
) -> None:
    lines = "1: red\n" + "word " * 5000 + "\n\n2: old\n"
    done = cli("run", language_bundle, "--max-tokens", 3, "--json", stdin=lines)
    assert done.returncode == 2
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [("error" in one) for one in told] == [False, True, False, False]
    assert "stdin: line 2: the prompt has" in done.stderr
    assert "1 of 4 inputs could not be answered" in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--temperature", "nan"), 2, "--temperature must be a finite number, got nan"),
        (("--temperature", "-1"), 2, "temperature must be"),
        (("--top-p", "0"), 2, "top_p must be a number above 0 to 1"),
        (("--max-tokens", "-3"), 2, "max_tokens must be 0 to"),
        (("--max-tokens", "99999999999"), 2, "max_tokens must be 0 to"),
        (("--seed", "-1"), 2, "seed must be"),
        (("--stop", ""), 2, "stop must be"),
        (("--context", "1"), 2, "context must be 2 to 96 tokens"),
        (("--to", "de"), 2, "--to is for bundles of translation; this one is of language-model"),
        (("--memory-budget", "10KB"), 2, "raise the budget to"),
    ],
)
def test_bad_options_are_refused_by_name(
    cli: Any, language_bundle: Path, options: tuple[str, ...], code: int, told: str
) -> None:
    done = cli("run", language_bundle, "red", *options)
    assert told in done.stderr
    assert done.returncode == code
    assert done.stdout == ""


def test_options_of_language_models_are_refused_for_others(
    cli: Any, sentiment_bundle: Path
) -> None:
    for options in (("--max-tokens", 5), ("--stop", "x"), ("--temperature", 0.5)):
        done = cli("run", sentiment_bundle, "good", *options)
        assert done.returncode == 2
        assert f"{options[0]} is for bundles of language-model" in done.stderr
    done = cli("run", sentiment_bundle, "good", "--context", 50)
    assert done.returncode == 2
    assert "context" in done.stderr


def test_evaluate_measures_perplexity_and_bits(
    cli: Any, language_bundle: Path, language_text: tuple[Path, Path]
) -> None:
    data, _ = language_text
    done = cli("evaluate", language_bundle, "--data", data, "--json", "--most", 6)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["documents"] == 1, "of the test split"
    assert 1 < told["perplexity"] < 5
    assert 0 < told["bits_per_byte"] < 2
    shown = cli("evaluate", language_bundle, "--data", data, "--show", 2, "--json")
    assert [set(one) for one in json.loads(shown.stdout)["shown"]] == [{"beginning", "written"}]
    smaller = cli(
        "evaluate", language_bundle, "--data", data, "--most", 6, "--memory-budget", "3MB"
    )
    assert f"perplexity {told['perplexity']:.2f}" in smaller.stdout


def test_commands_without_a_meaning_say_so(cli: Any, language_bundle: Path) -> None:
    done = cli("monitor", language_bundle)
    assert done.returncode == 2
    assert "monitoring is not supported for language-model" in done.stderr


def test_benchmark_has_speed_and_misses_within_the_budget(
    cli: Any, language_bundle: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    options = ("--rounds", 2, "--seconds", 0, "--memory-budget", "3MB", "--report", page)
    done = cli("benchmark", language_bundle, "--json", *options, "--prefer-resident", 0.2)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["tokens_per_second"] > 0
    assert 0 <= told["miss_rate"] <= 1
    assert (told["miss_rate"] > 0) == (told["bytes_read_per_token"] > 0)
    growth = told["rows"][0]["growth"]
    assert growth["budget_bytes"] == 3_000_000
    assert growth["anonymous_bytes"] <= 3_000_000
    assert "tokens/s" in page.read_text()
    assert "with prefer_resident 0.2" in page.read_text()
    assert told["routing_options"] == {"prefer_resident": 0.2}


def test_inspect_pack_and_verify_know_dense_parts(
    cli: Any, language_bundle: Path, tmp_path: Path
) -> None:
    shown = cli("inspect", language_bundle)
    assert shown.returncode == 0, shown.stderr
    assert "dense/head.tflite" in shown.stdout
    assert "perplexity" in shown.stdout
    assert cli("pack", language_bundle, "--out", tmp_path / "a.zip").returncode == 0
    assert cli("unpack", tmp_path / "a.zip", "--out", tmp_path / "b").returncode == 0
    assert cli("verify", tmp_path / "b").returncode == 0
    part = tmp_path / "b" / "dense" / "embedding.bin"
    content = bytearray(part.read_bytes())
    content[7] ^= 1
    part.write_bytes(content)
    for command in (("verify",), ("run",)):
        done = cli(*command, tmp_path / "b", *(("red",) if command == ("run",) else ()))
        assert done.returncode == 3
        assert "embedding.bin: damaged" in done.stderr
