"""Language models on a device: the same tokens in every way of asking, limits, and failures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_experts import ExpertRuntime
from edge_experts.errors import MemoryBudgetError, UsageError
from edge_experts.format.manifest import layer_expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.installed import InstalledRuntime, open_runtime
from edge_experts.runtime.tasks.language_model import layered_network
from edge_experts.runtime.tasks.language_model.continuation import Continued, Prompt
from edge_experts.runtime.tasks.language_model.sampling import Sampling
from tests.language import CONTEXT, sentence

from ..many import together

PROMPTS = ["12: " + sentence(0, 3), "", "zzz \x00\x07 ☃", sentence(4, 20), "red größer cat"]


@pytest.fixture
def language(tmp_path: Path, language_bundle: Path) -> Path:
    """A copy, to damage."""
    return Path(shutil.copytree(language_bundle, tmp_path / "language.bundle"))


def _spoil(bundle: Path, index: int) -> None:
    path = bundle / layer_expert_path(0, index)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _continued(runtime: Any, prompt: str | Prompt) -> Continued:
    answer = runtime.predict(prompt)
    assert isinstance(answer, Continued)
    return answer


def _tokens(runtime: Any, prompt: str, count: int = 24, **sampling: Any) -> list[int]:
    return _continued(runtime, Prompt(prompt, count, sampling=Sampling(**sampling))).token_ids


@pytest.fixture(scope="module")
def wanted(language_bundle: Path) -> list[list[int]]:
    with ExpertRuntime(language_bundle) as runtime:
        return [_tokens(runtime, prompt) for prompt in PROMPTS]


def test_it_writes_the_language_that_it_learned(language_bundle: Path) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        answer = _continued(runtime, Prompt("7: " + sentence(0, 6), 60))
    assert answer.text.startswith(sentence(6, 3).join(["", ""]) and " 日本 and small")
    assert answer.finish_reason in ("stop", "length")


def test_a_margin_is_the_distance_to_the_next_token(language_bundle: Path) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        task: Any = runtime.task
        answer = _continued(runtime, Prompt(PROMPTS[0], 6))
        given = [*task.vocabulary.start, *task.vocabulary.tokens(PROMPTS[0])]
        logits = task.logits([*given, *answer.token_ids], runtime.access)[len(given) - 1 : -1]
    best = np.sort(logits, axis=1)
    assert answer.margins == pytest.approx(best[:, -1] - best[:, -2], abs=1e-5)


def test_golden_continuations_end_before_a_near_tie(language_bundle: Path) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        answers = [_continued(runtime, Prompt(PROMPTS[0], 4)) for _ in range(3)]
        for answer, margins in zip(
            answers, ((9, 9, 0.1, 9), (0.1, 9, 9, 9), (9,) * 4), strict=True
        ):
            answer.margins = np.array(margins, np.float32)
        found = runtime.task.golden_arrays(answers)
    assert (found["continuations"] >= 0).sum(axis=1).tolist() == [2, 1, 4]
    assert found["certain"].argsort().tolist() == [1, 0, 2]
    assert found["certain"][1] < 1 < found["certain"][0]


@pytest.mark.parametrize("budget", [1, 2, 4, None])
def test_the_budget_does_not_change_a_token(
    language_bundle: Path, wanted: list[list[int]], budget: int | None
) -> None:
    with ExpertRuntime(language_bundle, max_experts=budget) as runtime:
        assert [_tokens(runtime, prompt) for prompt in PROMPTS] == wanted
        answer = _continued(runtime, PROMPTS[0])
        assert budget is None or len(runtime.resident) <= budget
    assert answer.expert_loads + answer.expert_hits > 0
    assert (answer.bytes_read > 0) == (answer.expert_loads > 0)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_change_a_token(
    language_bundle: Path, wanted: list[list[int]], threads: int
) -> None:
    with ExpertRuntime(language_bundle, threads=threads) as runtime:
        assert [_tokens(runtime, prompt) for prompt in PROMPTS] == wanted


@pytest.mark.parametrize("rows", [1, 3, 7, 64, 128])
def test_chunks_of_the_prompt_do_not_change_a_bit(
    language_bundle: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    def logits() -> np.ndarray:
        with ExpertRuntime(language_bundle) as runtime:
            tokens = runtime.task.vocabulary.tokens(sentence(3, 30))[: CONTEXT - 1]  # type: ignore[attr-defined]
            return runtime.task.measured({"windows:a": np.array([[0, *tokens]])}, runtime.access)[
                "losses:a"
            ]

    whole = logits()
    module = "edge_experts.runtime.tasks.language_model"
    monkeypatch.setattr(f"{module}.language_model_task.ROWS", rows)
    assert (logits() == whole).all()


def test_concurrent_requests_get_their_own_tokens(
    language_bundle: Path, wanted: list[list[int]]
) -> None:
    for sequences in (1, 3):
        with ExpertRuntime(language_bundle, sequences=sequences, max_experts=2) as runtime:

            def ask(number: int, runtime: Any = runtime) -> None:
                for _ in range(3):
                    assert _tokens(runtime, PROMPTS[number]) == wanted[number]

            together([partial(ask, number) for number in range(len(PROMPTS))])


def test_a_repeated_beginning_is_not_computed_again(language_bundle: Path) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        first = _continued(runtime, Prompt(PROMPTS[3], 4))
        again = _continued(runtime, Prompt(PROMPTS[3] + first.text, 4))
        assert first.reused_tokens == 0
        assert again.reused_tokens >= first.prompt_tokens - 1
        fresh = _continued(runtime, Prompt("x", 1))
        assert fresh.reused_tokens == 1, "the token before every text"
    with ExpertRuntime(language_bundle) as runtime:
        assert _tokens(runtime, PROMPTS[3] + first.text, 4) == again.token_ids


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from([*PROMPTS, *(p[: len(p) // 2] for p in PROMPTS)]), max_size=8))
def test_earlier_requests_do_not_change_a_token(language_bundle: Path, order: list[str]) -> None:
    with ExpertRuntime(language_bundle, sequences=2) as used:
        for prompt in order:
            with ExpertRuntime(language_bundle) as fresh:
                assert _tokens(used, prompt, 6) == _tokens(fresh, prompt, 6)


def test_a_full_context_ends_and_a_prompt_too_long_is_refused(language_bundle: Path) -> None:
    with ExpertRuntime(language_bundle, context=20) as runtime:
        answer = _continued(runtime, Prompt("1: red", 500))
        assert answer.prompt_tokens + answer.tokens == 20 + 1
        assert answer.finish_reason == "length"
        with pytest.raises(UsageError, match=r"the prompt has [\d,]+ tokens, and the context"):
            _continued(runtime, " ".join(["word"] * 100_000))
    for context in (0, 1, -5, CONTEXT + 1, 10**12):
        with pytest.raises(UsageError, match=f"context must be 2 to {CONTEXT} tokens"):
            ExpertRuntime(language_bundle, context=context)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("temperature", value) for value in (float("nan"), -1, float("inf"), "1", True)],
        *[("top_p", value) for value in (0, -0.1, 1.1, float("nan"))],
        *[("repetition_penalty", value) for value in (0.5, float("nan"), 1e9)],
        *[("seed", value) for value in (-1, 1.5, 2**64)],
    ],
)
def test_invalid_sampling_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name):
        Sampling(**{name: value})


@pytest.mark.parametrize(
    "fields",
    [
        {"text": 5},
        {"max_tokens": -1},
        {"max_tokens": 2**40},
        {"max_tokens": 1.5},
        {"stop": ("",)},
        {"stop": ("x",) * 17},
        {"stop": "x"},
    ],
)
def test_an_invalid_prompt_is_refused_by_name(fields: dict[str, Any]) -> None:
    name = "prompt" if "text" in fields else next(iter(fields))
    with pytest.raises(UsageError, match=name):
        Prompt(**{"text": "", **fields})


def test_sampling_follows_its_seed(language_bundle: Path) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        one = _tokens(runtime, "", temperature=1.5, seed=3)
        assert one == _tokens(runtime, "", temperature=1.5, seed=3)
        assert one != _tokens(runtime, "", temperature=1.5, seed=4)
        narrow = _tokens(runtime, "", temperature=1.5, top_p=1e-9, seed=4)
        assert narrow == _tokens(runtime, "")
        varied = _tokens(runtime, sentence(0, 12), 40, repetition_penalty=100)
        assert varied != _tokens(runtime, sentence(0, 12), 40)


def test_a_stream_gives_the_text_of_the_answer_in_whole_characters(language_bundle: Path) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        stream = runtime.stream(Prompt("1: " + sentence(4, 3), 40))
        parts = list(stream)
        answer = stream.answer()
        assert len(parts) > 3
        assert "".join(parts) == answer.text
        assert "\N{REPLACEMENT CHARACTER}" not in "".join(parts[:-1])
        stop = answer.text[5:12]
        ended = _continued(runtime, Prompt("1: " + sentence(4, 3), 40, stop=(stop, "no such text")))
        assert ended.text == answer.text[: answer.text.index(stop)]
        assert ended.finish_reason == "stop"
        assert (answer.first_us or 0) > 0


def test_an_abandoned_stream_gives_its_cache_back(language_bundle: Path) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        for _ in range(3):
            stream = runtime.stream("1: red")
            next(iter(stream))
            stream.close()
        assert _tokens(runtime, PROMPTS[0]) == _tokens(runtime, PROMPTS[0])


@pytest.mark.parametrize(
    "damage", [_spoil, lambda bundle, index: (bundle / layer_expert_path(0, index)).unlink()]
)
def test_a_layer_takes_its_next_choice_and_says_so(
    language: Path, damage: Callable[[Path, int], None]
) -> None:
    with ExpertRuntime(language) as runtime:
        used = _continued(runtime, Prompt(PROMPTS[0], 0)).experts
    damage(language, used[0])
    with ExpertRuntime(language) as runtime:
        answer = _continued(runtime, PROMPTS[0])
        assert answer.degraded
        assert f"expert {used[0]}: layer 0" in (answer.reason or "")
        assert used[0] not in answer.experts
        assert answer.tokens == 16 or answer.finish_reason == "stop"
    with ExpertRuntime(language, strict=True) as runtime, pytest.raises(Exception, match="layer 0"):
        _continued(runtime, PROMPTS[0])
    for index in range(4):
        (language / layer_expert_path(0, index)).unlink(missing_ok=True)
    with ExpertRuntime(language) as runtime:
        with pytest.raises(Exception, match="missing"):
            _continued(runtime, PROMPTS[0])
        assert runtime.resident == ()


def test_a_budget_below_the_minimum_is_refused_with_its_parts(language_bundle: Path) -> None:
    with pytest.raises(MemoryBudgetError) as error:
        ExpertRuntime(language_bundle, memory_budget=100_000)
    told = str(error.value)
    assert "routers and dense parts" in told
    assert f"keys and values of {CONTEXT} tokens" in told
    least = int(told.split("raise the budget to ")[1].split(" or more")[0].replace(",", ""))
    with ExpertRuntime(language_bundle, memory_budget=least) as runtime:
        assert _continued(runtime, PROMPTS[0]).tokens
        assert runtime.resident_bytes <= least
    with pytest.raises(MemoryBudgetError):
        ExpertRuntime(language_bundle, memory_budget=least - 1)


def test_a_forked_process_writes_the_same(language_bundle: Path, wanted: list[list[int]]) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        assert _tokens(runtime, PROMPTS[0]) == wanted[0]
        child = os.fork()
        if not child:
            try:
                same = [_tokens(runtime, prompt) for prompt in PROMPTS] == wanted
            finally:
                os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert _tokens(runtime, PROMPTS[1]) == wanted[1]


def test_an_installed_version_streams(language_bundle: Path, tmp_path: Path, cli: Any) -> None:
    done = cli("install", language_bundle, tmp_path / "root")
    assert done.returncode == 0, done.stderr
    with open_runtime(tmp_path / "root") as runtime:
        stream = runtime.stream(Prompt("1: red", 8))
        assert "".join(stream) == stream.answer().text
        assert runtime.stream(Prompt("1: red", 8)).answer().text == stream.answer().text
        ended = runtime.stream(Prompt("1: red", 8))
        next(iter(ended))
        ended.close()
        assert runtime.predict(Prompt("1: red", 8)).text == stream.answer().text


def test_a_stream_keeps_its_version_during_an_update(
    language_bundle: Path, tmp_path: Path, cli: Any
) -> None:
    root = tmp_path / "root"
    assert cli("install", language_bundle, root).returncode == 0
    with ExpertRuntime(language_bundle) as alone:
        wanted = alone.predict(Prompt("1: red", 8)).text
    with InstalledRuntime(root, check_every=0) as runtime:
        stream = runtime.stream(Prompt("1: red", 8))
        begun = next(iter(stream))
        runtime.close()  # as an update does with the old version
        assert begun + "".join(stream) == wanted == stream.answer().text


def test_losses_are_those_of_the_manifest(language_bundle: Path) -> None:
    scores = read_manifest(language_bundle).provenance["test_scores"]
    assert 1 < scores["perplexity"] < 4, "each word determines the next one"
    assert np.log(scores["perplexity"]) == pytest.approx(scores["loss"], abs=1e-4)


def test_the_chunks_of_the_test_above_are_those_of_the_network() -> None:
    assert (layered_network.ROWS, layered_network.CHUNK) == (16, 128)
