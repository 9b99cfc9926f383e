"""Perplexity of a language model on a fixed number of tokens, beside that of another program.

Each text is cut at the context and read alone, so that any program which gives the probabilities of
tokens can be compared on the same ones (`tests/data/transformers_perplexity.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from edge_experts import ExpertRuntime, datasets
from edge_experts.errors import UsageError
from edge_experts.progress import Progress
from edge_experts.runtime.tasks.language_model.language_model_task import LanguageModel


@dataclass(frozen=True)
class Perplexity:
    """Result.

    Attributes:
        tokens: predicted ones, all but the first of each text.
        nats: sum of their losses.
        seconds: processor time.
    """

    texts: int
    tokens: int
    nats: float
    seconds: float

    @property
    def perplexity(self) -> float:
        return math.exp(self.nats / self.tokens)


def measure(
    bundle: Path, data: str, tokens: int, context: int, written: Path | None = None
) -> Perplexity:
    """Read the test texts of `data` until so many tokens are predicted.

    Args:
        written: a file that gets the tokens of each text, a JSON list in each line.

    Raises:
        UsageError: the bundle is no language model.
    """
    texts = list(datasets.load(data, task_type="language-model").test.inputs)
    with ExpertRuntime(bundle, context=context) as runtime:
        task = runtime.task
        if not isinstance(task, LanguageModel):
            raise UsageError(f"{bundle}: is no language model")
        chosen = list(beginnings(task, texts, tokens, context))
        if written is not None:
            lines = (json.dumps(one) + "\n" for one in chosen)
            written.write_text("".join(lines), encoding="utf-8")
        begin, nats = process_time(), 0.0
        with Progress("Reading texts", len(chosen)) as progress:
            for one in chosen:
                nats += float(task.judged(one, runtime.access)[0].sum())
                progress.step("")
        return Perplexity(
            len(chosen), sum(len(one) - 1 for one in chosen), nats, process_time() - begin
        )


def beginnings(
    task: LanguageModel, texts: Sequence[str], tokens: int, context: int
) -> Iterator[list[int]]:
    """Yield the tokens of texts, each cut at the context, until so many can be predicted."""
    start = list(task.vocabulary.start)
    for text in texts:
        found = [*start, *task.vocabulary.tokens(text)][:context]
        if len(found) > 1:
            yield found
            tokens -= len(found) - 1
        if tokens <= 0:
            return
