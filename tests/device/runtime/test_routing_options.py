"""Options of routing that trade quality for speed: experts in memory first, and fewer experts."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from edge_experts import ExpertRuntime
from edge_experts.errors import UsageError
from edge_experts.runtime import golden, interpreter
from edge_experts.runtime.routing_options import RoutingOptions, told
from edge_experts.runtime.tasks.language_model.continuation import Continued, Prompt
from edge_experts.runtime.tasks.language_model.language_model_task import LanguageModel
from edge_experts.runtime.tasks.language_model.layered_network import LayeredNetwork

from ...conftest import Cli
from ...language import text
from ...tiny import tiny_bundle

HELP = Path(__file__).parents[3] / "examples" / "help.bundle"
TEXTS = ("To open a file", "Select the cell", "Der Dialog", "Para abrir")
TOKENS = 12
LAYERS, EXPERTS = 4, 8


def written(runtime: ExpertRuntime, text: str) -> Continued:
    answer = runtime.predict(Prompt(text, TOKENS))
    assert isinstance(answer, Continued)
    return answer


@pytest.fixture(scope="module")
def plain() -> list[list[int]]:
    with ExpertRuntime(HELP) as runtime:
        return [written(runtime, one).token_ids for one in TEXTS]


def test_without_options_nothing_changes(plain: list[list[int]]) -> None:
    """Nor with as many experts as the bundle says, or with all experts in memory."""
    with ExpertRuntime(HELP, prefer_resident=0, experts_per_token=2, max_experts=8) as runtime:
        assert [written(runtime, one).token_ids for one in TEXTS] == plain
        # Its golden tokens are those of the interpreter that it was made for.
        if interpreter.description()["interpreter"] == "tflite_runtime":
            assert golden.check(runtime) > 0
    with ExpertRuntime(HELP, prefer_resident=0.5) as runtime:
        for index in range(LAYERS * EXPERTS):
            runtime._experts.free(runtime._experts.hold(index))
        assert [written(runtime, one).token_ids for one in TEXTS] == plain


def test_experts_in_memory_are_loaded_less_often(plain: list[list[int]]) -> None:
    loads, texts = {}, {}
    for margin in (0.0, 0.2, 1.0):
        with ExpertRuntime(HELP, prefer_resident=margin, max_experts=16) as runtime:
            answers = [written(runtime, one) for one in TEXTS]
            loads[margin] = sum(one.expert_loads for one in answers)
            texts[margin] = [one.token_ids for one in answers]
            assert sum(one.bytes_read for one in answers) > 0
            assert not any(one.degraded for one in answers)
    assert loads[0.0] > loads[0.2] > loads[1.0] > 0
    assert texts[0.0] == plain
    assert texts[1.0] != plain, "answers depend on what is in memory"


def test_fewer_experts_compute(plain: list[list[int]]) -> None:
    with ExpertRuntime(HELP, experts_per_token=1) as runtime:
        # The second time the prompt's last token alone is computed, and then each but the last.
        answer = [written(runtime, TEXTS[0]) for _ in range(2)][1]
        assert answer.expert_hits + answer.expert_loads == LAYERS * TOKENS
        assert answer.token_ids != plain[0]
        task = runtime.task
        assert isinstance(task, LanguageModel)
        tokens = [*task.vocabulary.start, *task.vocabulary.tokens(TEXTS[0])]
        together, apart = (task.logits(tokens, runtime.access, rows) for rows in (None, 1))
        assert np.array_equal(together, apart)


@pytest.fixture(scope="module")
def network() -> Iterator[LayeredNetwork]:
    """A network whose first layer has its even experts in memory."""
    with ExpertRuntime(HELP, prefer_resident=0.25) as runtime:
        for index in range(0, EXPERTS, 2):
            runtime._experts.free(runtime._experts.hold(index))
        task = runtime.task
        assert isinstance(task, LanguageModel)
        yield task._network(runtime.access)


@given(arrays.arrays(np.float32, (3, EXPERTS), elements=some.floats(-2, 2, width=32)))
def test_only_experts_within_the_margin_change_places(
    network: LayeredNetwork, scores: np.ndarray
) -> None:
    raised = scores.copy()
    network._raise_resident(raised, range(EXPERTS))
    for row in range(3):
        assert raised[row].argmax() == scores[row].argmax(), "the router's first choice stays"
        margin = 0.25 * np.ptp(scores[row])
        for better, worse in itertools.permutations(range(EXPERTS), 2):
            apart = scores[row, better] - scores[row, worse]
            if apart > 0 and raised[row, better] < raised[row, worse]:
                assert (better % 2, worse % 2) == (1, 0), "one in memory passes another"
                assert apart <= margin * 1.001 + 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefer_resident": -0.1}, "prefer_resident must be 0 to 1"),
        ({"prefer_resident": 1.5}, "prefer_resident must be 0 to 1"),
        ({"prefer_resident": math.nan}, "prefer_resident must be 0 to 1"),
        ({"prefer_resident": "1"}, "prefer_resident must be 0 to 1"),
        ({"experts_per_token": 0}, "experts_per_token must be at least 1"),
        ({"experts_per_token": 1.5}, "experts_per_token must be at least 1"),
        ({"experts_per_token": 3}, "must be 1 to 2, as help has, got 3"),
        ({"experts_per_token": 1, "prefer_resident": 0.1}, "has no effect with one expert"),
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ExpertRuntime(HELP, **options)


def test_other_tasks_have_no_such_options(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    for options in ({"prefer_resident": 0.1}, {"experts_per_token": 1}):
        with pytest.raises(UsageError, match="for language models"):
            ExpertRuntime(bundle, **options)


def test_options_name_themselves() -> None:
    assert not RoutingOptions().given
    assert told(RoutingOptions(0.25, 1).given) == "prefer_resident 0.25, experts_per_token 1"
    assert RoutingOptions(experts_per_token=2).given == {"experts_per_token": 2}


def test_commands_name_the_options(cli: Cli, tmp_path: Path) -> None:
    options = ("--prefer-resident", 0.2, "--memory-budget", "16MB")
    done = cli("run", HELP, "To open a file", "--max-tokens", 4, "--json", *options)
    assert json.loads(done.stdout)["routing_options"] == {"prefer_resident": 0.2}
    data = tmp_path / "some.txt"
    data.write_text(text(), encoding="utf-8")
    done = cli("evaluate", HELP, "--data", data, "--most", 2, *options)
    assert "with prefer_resident 0.2" in done.stdout, done.stderr
    done = cli("serve", tiny_bundle(tmp_path / "tiny.bundle"), "--experts-per-token", 1)
    assert done.returncode == 2
    assert "--experts-per-token is for bundles of language-model" in done.stderr
