"""Language models: continuations, token by token."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.targets.document_losses import DocumentLoss
from ...errors import UsageError
from ...features import Vocabulary
from ...progress import Progress
from ...runtime import ExpertRuntime
from ...runtime.batch import examples_of
from ...runtime.interpreter import Delegate
from ...runtime.tasks.language_model import LanguageModel
from ...runtime.tasks.language_model.continuation import MAX_TOKENS
from ..bare import Files

AGREEMENT = "edge_experts.benchmarking.tasks.logit_agreement"


def reference_loop(files: Files) -> Callable[[Any], Any]:
    """Raise UsageError: a token runs experts of every layer."""
    raise UsageError("language models have no reference loop")


def spelled(files: Files, answer: Any) -> str:
    return str(answer)


def record(
    runtime: ExpertRuntime, arrays: Mapping[str, np.ndarray], delegate: Delegate
) -> dict[str, np.ndarray]:
    """Record continuations: the experts, tokens, their probabilities, and a digest of all.

    They are `expert`, the first one of the first layer; `pieces`, (examples, tokens) padded with
    -1; `chances`, and `bits`.
    """
    task = runtime.task
    assert isinstance(task, LanguageModel)
    rows: dict[str, list[Any]] = {"expert": [], "pieces": [], "chances": [], "bits": []}
    examples = list(examples_of(arrays))
    with Progress(f"{delegate} kernels", len(examples)) as progress:
        for one in examples:
            answer = task.run(task.vocabulary.text(one["tokens"][0].tolist()), runtime.access)
            room = MAX_TOKENS - answer.tokens
            logs = answer.log_probabilities
            rows["expert"].append(answer.expert)
            rows["pieces"].append(np.pad(answer.token_ids, (0, room), constant_values=-1))
            rows["chances"].append(np.pad(np.exp(logs), (0, room)))
            rows["bits"].append(np.frombuffer(hashlib.sha256(logs.tobytes()).digest(), np.uint8))
            progress.step()
    return {name: np.array(values) for name, values in rows.items()}


def bundle_losses(bundle: Path, texts: Sequence[str]) -> list[DocumentLoss]:
    """Measure a bundle's losses; for a separate process."""
    with ExpertRuntime(bundle, strict=True) as runtime:
        return document_losses(runtime, texts)


def document_losses(
    runtime: ExpertRuntime, texts: Sequence[Any] | np.ndarray
) -> list[DocumentLoss]:
    """Measure the loss of each document, in windows of the context that do not overlap."""
    task = runtime.task
    assert isinstance(task, LanguageModel)
    found, count = [], len(texts)
    with Progress(f"Evaluating on {count:,} documents", 20) as progress:
        for row, text in enumerate(map(str, texts)):
            tokens, size = _document(task.vocabulary, text), task.context
            nats, right = 0.0, 0
            for start in range(0, len(tokens) - 1, size):
                window = tokens[start : start + size + 1]
                losses, hits = task.losses(window, runtime.access)
                nats, right = nats + float(losses.sum()), right + int(hits.sum())
            length = len(text.encode("utf-8", "surrogatepass"))
            found.append(DocumentLoss(nats, len(tokens) - 1, length, right))
            if (row + 1) * 20 // count > row * 20 // count:
                progress.step()
    return found


def _document(vocabulary: Vocabulary, text: str) -> list[int]:
    """Return the tokens of a whole document, with those that begin and end it."""
    return [*vocabulary.start, *vocabulary.tokens(text), vocabulary.ends[0]]


def choices(recorded: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the tokens, (examples, tokens)."""
    return recorded["pieces"]
