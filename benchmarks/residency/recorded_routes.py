"""Experts that the tokens of a trained language model took, as a trace for larger models.

`recorded_routes.json` has those of `examples/help.bundle` for the beginnings of held-out texts of
`help`, read token by token: `python -m benchmarks record-routes` wrote it. Larger models have more
layers and experts, so a layer follows one of the recorded layers in turn, and each recorded expert
stands for a group: of 32 experts the first four are taken by the tokens that took the first of 8.
So a token takes 8 of 32, and reuses those of the token before it as often as in the recording.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import ExpertRuntime, datasets
from edge_experts.errors import UsageError
from edge_experts.format.atomic import write_whole
from edge_experts.runtime.tasks.language_model.language_model_task import LanguageModel
from edge_experts.runtime.tasks.language_model.layered_network import LayeredNetwork

from ..language.perplexity import beginnings

FILE = Path(__file__).with_name("recorded_routes.json")
LAYERS, EXPERTS = 4, 8  # of the recorded model


class _Recorder(LayeredNetwork):
    """Network that notes the experts it runs."""

    noted: list[int]

    def _run(self, expert: int, start: int, given: np.ndarray) -> np.ndarray:
        self.noted.append(start + expert)
        return super()._run(expert, start, given)


def record(bundle: Path, data: str, tokens: int, out: Path) -> None:
    """Read the beginnings of test texts token by token, and write the experts of each token.

    Raises:
        UsageError: the bundle is no language model with layers of equally many experts, or the
            texts have fewer tokens.
    """
    texts = list(datasets.load(data, task_type="language-model").test.inputs)
    with ExpertRuntime(bundle, strict=True) as runtime:
        task = runtime.task
        places = [places for _, places in runtime.manifest.routed]
        sizes = {len(one) for one in places}
        if not isinstance(task, LanguageModel) or len(sizes) != 1:
            raise UsageError(
                f"{bundle}: must be a language model with equally many experts a layer"
            )
        chosen = list(beginnings(task, texts, tokens, task.context))
        rows = [row for one in chosen for row in _experts_of(one, task, runtime)]
        if len(rows) < tokens:
            raise UsageError(f"{data}: has {len(rows)} tokens in its test texts, not {tokens}")
        (count,), top = sizes, runtime.manifest.top_k
        each = np.array(rows[:tokens]).reshape(tokens, len(places), top) % count
    content = {
        "bundle": runtime.manifest.name,
        "data": data,
        "experts": count,
        "tokens": [[sorted(layer) for layer in token] for token in each.tolist()],
    }
    write_whole(out, json.dumps(content, separators=(",", ":")) + "\n")


def _experts_of(tokens: Sequence[int], task: Any, runtime: ExpertRuntime) -> list[list[int]]:
    """Return the experts of each token of a text, layer by layer."""
    network = _Recorder(task.settings, task._rotary, task._biases, task._top_k, 0.0, runtime.access)
    cache, _ = task._caches.take(())
    rows = []
    for token in tokens:
        network.noted = []
        network.rows([token], cache)
        rows.append(network.noted)
    task._caches.give_back(cache)
    return rows


@functools.cache
def choices() -> np.ndarray:
    """Return which experts each recorded token takes, (tokens, layers, experts) of 0 and 1."""
    tokens = np.array(json.loads(FILE.read_text(encoding="utf-8"))["tokens"])
    made = np.zeros((*tokens.shape[:2], EXPERTS), np.float32)
    np.put_along_axis(made, tokens, 1.0, axis=2)
    return made


def router(layer: int, experts: int) -> np.ndarray:
    """Return the columns of a layer's router that read `choices`, (experts, layers * experts)."""
    made = np.zeros((experts, LAYERS, EXPERTS), np.float32)
    numbers = np.arange(experts)
    made[numbers, layer % LAYERS, numbers * EXPERTS // experts] = 1
    return made.reshape(experts, -1)
