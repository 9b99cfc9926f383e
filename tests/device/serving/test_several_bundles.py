"""A server of several bundles under one memory budget, in its own process."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.load import running
from edge_experts import ExpertRuntime, MemoryBudget
from edge_experts.format.byte_sizes import bytes_of
from edge_experts.runtime.bundles_together import memory_needs, open_together
from edge_experts.runtime.tasks.language_model.continuation import Prompt
from edge_experts.serving.server_options import ServerOptions
from edge_experts.updates.install import install

from ...conftest import Cli
from ...tiny import INPUTS, tiny_bundle
from .completing import alone, ask
from .slow_server import OPTIONS, in_thread
from .test_serving import ask as ask_path

HELP = Path(__file__).parents[3] / "examples" / "help.bundle"
TEXTS = ("To open a file", "Select the", "red cat", "small dogs bark", "Le fichier")
CONTEXT = 48


@pytest.fixture(scope="module")
def bundles(language_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    tiny = tiny_bundle(tmp_path_factory.mktemp("several") / "tiny.bundle")
    return {"help": HELP, "chain": language_bundle, "tiny": tiny}


@pytest.fixture(scope="module")
def budget(bundles: dict[str, Path]) -> int:
    """Room for a quarter of the experts of one bundle."""
    needs = {
        name: memory_needs(path, context=None if name == "tiny" else CONTEXT)
        for name, path in bundles.items()
    }
    # A second sequence of each language model takes less than one and a half MB.
    return sum(one.always for one in needs.values()) + 8 * needs["help"].expert + 3_000_000


@pytest.fixture(scope="module")
def port(bundles: dict[str, Path], budget: int) -> Iterator[int]:
    options = ("--context", str(CONTEXT), "--memory-budget", str(budget), "--queue", "20")
    with running(bundles["help"], str(bundles["chain"]), f"tiny={bundles['tiny']}", *options) as (
        _,
        port,
    ):
        yield port


def complete(port: int, model: str, text: str, **fields: Any) -> tuple[int, Any]:
    body = {"model": model, "prompt": text, "temperature": 0, "max_tokens": 8, **fields}
    return ask(port, body)


def classify(port: int, example: Any) -> tuple[int, Any]:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": example.tolist()}
    return ask(port, {"inputs": [tensor]}, "/v2/models/tiny/infer")


def metrics(port: int) -> dict[str, float]:
    lines = ask_path(port, "GET", "/metrics")[1].splitlines()
    return {
        name: float(value)
        for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    }


def test_every_answer_is_that_of_a_runtime_alone(bundles: dict[str, Path], budget: int) -> None:
    """Eight threads send requests for all three bundles, and the budget is never exceeded."""
    wanted: dict[tuple[str, int], Any] = {}
    for name in ("help", "chain"):
        with ExpertRuntime(bundles[name], context=CONTEXT) as runtime:
            for row, text in enumerate(TEXTS):
                wanted[name, row] = alone(runtime, Prompt(text, 8)).text
    with ExpertRuntime(bundles["tiny"]) as runtime:
        for row, example in enumerate(INPUTS):
            wanted["tiny", row] = runtime.predict(example).scores
    wrong: list[Any] = []
    of_writing = {"context": CONTEXT, "sequences": 2}
    runtimes = open_together(
        bundles, budget, {name: {} if name == "tiny" else of_writing for name in bundles}
    )
    common: MemoryBudget = runtimes["help"]._common  # type: ignore[union-attr, assignment]

    def request(port: int, seed: int) -> None:
        keys = list(wanted)
        for place in np.random.default_rng(seed).permutation(len(keys)).tolist():
            name, row = keys[place]
            if name == "tiny":
                status, content = classify(port, INPUTS[row])
                scores = {one["name"]: one["data"] for one in content["outputs"]}["scores"]
                same = np.allclose(scores, wanted[name, row], atol=1e-6)
            else:
                status, content = complete(port, name, TEXTS[row])
                same = content["choices"][0]["text"] == wanted[name, row]
            if status != 200 or not same or common.used > budget:
                wrong.append((name, row, content))

    with in_thread(runtimes, ServerOptions(**OPTIONS)) as port:  # type: ignore[arg-type]
        threads = [threading.Thread(target=request, args=(port, seed)) for seed in range(8)]
        for thread in threads:
            thread.start()
        most = 0
        while any(thread.is_alive() for thread in threads):
            most = max(most, common.used)
            time.sleep(0.001)
        found = metrics(port)
        evictions = runtimes["help"].counts.evictions
    assert not wrong
    assert evictions > 0
    assert 0.9 * budget < most <= budget
    assert found['edge_experts_written_tokens_total{model="chain"}'] == 8 * 8 * len(TEXTS)
    assert found['edge_experts_prompt_tokens_total{model="chain"}'] > 8 * len(TEXTS)
    assert found['edge_experts_written_tokens_total{model="tiny"}'] == 0
    assert found['edge_experts_requests_total{code="200",model="tiny"}'] == 8 * len(INPUTS)


def test_all_models_are_listed_and_described(port: int) -> None:
    status, content = ask(port, None, "/v1/models")
    assert status == 200
    listed = {one["id"]: one["task"] for one in content["data"]}
    assert listed == {"help": "language-model", "chain": "language-model", "tiny": "classification"}
    assert ask(port, None, "/v1/models/help")[1]["id"] == "help"
    assert ask(port, None, "/v2/health/ready") == (200, {"ready": True})
    for name in listed:
        assert ask(port, None, f"/v2/models/{name}/ready") == (200, {"name": name, "ready": True})
        assert ask(port, None, f"/v2/models/{name}")[1]["name"] == name


def test_another_model_is_refused_by_name(port: int) -> None:
    status, content = complete(port, "gpt", "red")
    assert (status, content["error"]["code"]) == (404, "model_not_found")
    assert "no model 'gpt'; this server has 'help', 'chain', 'tiny'" in content["error"]["message"]
    status, content = complete(port, "tiny", "red")
    assert (status, content["error"]["param"]) == (400, "model")
    assert "POST /v2/models/tiny/infer" in content["error"]["message"]
    status, content = ask(port, {"prompt": "red"})
    assert (status, content["error"]["param"]) == (400, "model")
    assert "'help', 'chain'" in content["error"]["message"]
    status, content = ask(port, {"inputs": []}, "/v2/models/gpt/infer")
    assert status == 404
    assert "'tiny'" in content["error"]


def test_metrics_have_the_models_label(port: int) -> None:
    complete(port, "help", "red")
    found = metrics(port)
    series = [name for name in found if re.match(r"edge_experts_\w+\{", name)]
    assert all('model="' in name for name in series)
    assert len(series) == len(found), "no series is without the label"
    assert found['edge_experts_bundle_info{model="tiny",name="tiny",version="1"}'] == 1


def test_several_prompts_in_one_request(port: int, bundles: dict[str, Path]) -> None:
    with ExpertRuntime(bundles["chain"], context=CONTEXT) as runtime:
        wanted = [alone(runtime, Prompt(text, 8)) for text in TEXTS]
    status, content = complete(port, "chain", list(TEXTS))  # type: ignore[arg-type]
    assert status == 200
    assert [one["index"] for one in content["choices"]] == list(range(len(TEXTS)))
    assert [one["text"] for one in content["choices"]] == [one.text for one in wanted]
    assert content["usage"]["completion_tokens"] == sum(one.tokens for one in wanted)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    status, events = complete(port, "chain", list(TEXTS), **options)  # type: ignore[arg-type]
    assert events.pop() == "[DONE]"
    texts = [""] * len(TEXTS)
    for event in map(json.loads, events):
        for choice in event["choices"]:
            texts[choice["index"]] += choice["text"]
    assert texts == [one.text for one in wanted]
    assert json.loads(events[-1])["usage"] == content["usage"]
    status, content = complete(port, "chain", ["a"] * 21)  # type: ignore[arg-type]
    assert (status, content["error"]["param"]) == (400, "prompt")
    assert "at most 20 texts" in content["error"]["message"]
    status, content = complete(port, "chain", ["red", "word " * 5000])  # type: ignore[arg-type]
    assert (status, content["error"]["code"]) == (400, "context_length_exceeded")


def test_a_budget_that_is_too_small_names_what_each_bundle_needs(
    bundles: dict[str, Path], cli: Cli
) -> None:
    places = [f"{name}={path}" for name, path in bundles.items()]
    done = cli("serve", *places, "--memory-budget", "5MB", "--context", CONTEXT, "--port", 0)
    assert done.returncode == 2
    least = re.search(r"need at least ([\d,]+)", done.stderr)
    assert least is not None, done.stderr
    for name, path in bundles.items():
        of_writing = {} if name == "tiny" else {"context": CONTEXT, "sequences": 2}
        needs = memory_needs(path, **of_writing)
        assert f"{name} {needs.always:,} (" in done.stderr
        for part, count in needs.parts.items():
            assert f"{part} {count:,}" in done.stderr or not count
    total = bytes_of(least[1].replace(",", ""), "it")
    done = cli("serve", *places, "--memory-budget", total - 1, "--context", CONTEXT, "--port", 0)
    assert done.returncode == 2
    with running(
        bundles["help"],
        *(str(bundles[name]) for name in ("chain", "tiny")),
        *("--memory-budget", str(total), "--context", str(CONTEXT)),
    ) as (_, port):
        assert complete(port, "help", "Select")[0] == complete(port, "chain", "red")[0] == 200
        assert classify(port, INPUTS[0])[0] == 200


def test_equal_names_are_refused(bundles: dict[str, Path], tmp_path: Path, cli: Cli) -> None:
    other = Path(shutil.copytree(bundles["tiny"], tmp_path / "other.bundle"))
    done = cli("serve", bundles["tiny"], other, "--port", 0)
    assert done.returncode == 2
    assert f"NAME={other}" in done.stderr
    for place, message in (("a/b=x", "no bundle"), ("a b=x", "must be of letters"), ("=x", "''")):
        done = cli("serve", place, "--port", 0)
        assert done.returncode in (2, 3), done.stderr
        assert message in done.stderr or "a/b=x" in done.stderr
    done = cli("serve", bundles["tiny"], f"b={other}", "--sequences", 2, "--port", 0)
    assert done.returncode == 2
    assert "--sequences is for bundles of language-model" in done.stderr


def test_each_installed_bundle_is_replaced_while_it_is_served(tmp_path: Path) -> None:
    """Also where the budget does not hold two versions: 1 kB for each router and one expert."""
    for name in ("one", "two"):
        install(tiny_bundle(tmp_path / f"{name}-1", version=1), tmp_path / name)
    places = [f"{name}={tmp_path / name}" for name in ("one", "two")]
    for budget in ("3KB", "20KB"):
        with running(Path(places[0]), places[1], "--memory-budget", budget) as (_, port):
            for name, other in (("two", "one"), ("one", "two")):
                before = version(port, other)
                number = version(port, name) + 1
                install(
                    tiny_bundle(tmp_path / f"{name}-{number}", version=number, seeds=(number, 10)),
                    tmp_path / name,
                )
                threading.Event().wait(0.15)  # the time between two looks
                path = f"/v2/models/{name}/infer"
                tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [2, 1]}
                content = ask(port, {"inputs": [tensor]}, path)[1]
                assert content["model_version"] == str(number) == str(version(port, name))
                assert version(port, other) == before


def version(port: int, name: str) -> int:
    return int(ask(port, None, f"/v2/models/{name}")[1]["versions"][0])


def test_a_name_with_any_characters_is_escaped(tmp_path: Path) -> None:
    """In Prometheus's text, and in the path."""
    odd = tiny_bundle(tmp_path / "odd.bundle", name='a"b\\c{d} \u00e9')
    plain = tiny_bundle(tmp_path / "plain.bundle")
    from prometheus_client.parser import text_string_to_metric_families

    with running(odd, str(plain)) as (_, port):
        content = ask(port, None, "/v2/models/a%22b%5Cc%7Bd%7D%20%C3%A9")[1]
        assert content["name"] == 'a"b\\c{d} \u00e9'
        text = ask_path(port, "GET", "/metrics")[1]
        models = {
            sample.labels["model"]
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if "resident_bytes" in sample.name
        }
        assert models == {'a"b\\c{d} \u00e9', "tiny"}
