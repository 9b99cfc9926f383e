"""Language models: continuations as they are written, and perplexity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..examples import inputs
from . import Evaluation

if TYPE_CHECKING:
    from ....datasets import Dataset, Split
    from ....format.manifest import Manifest
    from ....runtime import ExpertRuntime
    from ....runtime.installed import InstalledRuntime
    from ....runtime.tasks.language_model import LanguageModel
    from ....runtime.tasks.language_model.continuation import Continued
    from ..watch import Watch

_SAMPLING = ("--temperature", "--top-p", "--repetition-penalty", "--seed")
_OF_SERVE = ("--sequences", "--request-seconds", "--context")
_ROUTING = ("--prefer-resident", "--experts-per-token")
OPTIONS = dict.fromkeys(("--max-tokens", "--stop", "--show", *_SAMPLING, *_OF_SERVE, *_ROUTING), "")
_BEGINNING, _SHOWN = 16, 40  # tokens of a document that is shown, and of its continuation
_MOST = 128  # tokens, by default


def run(
    runtime: ExpertRuntime | InstalledRuntime,
    texts: Sequence[str] | None,
    path: Path | None,
    options: Mapping[str, Any],
    watch: Watch,
    *,
    json: bool,
) -> None:
    """Continue each text.

    Raises:
        UsageError: an option has an invalid value, or a text of the command line is too long.
    """
    from ....errors import MemoryBudgetError, UsageError
    from ....runtime.tasks.language_model.continuation import Continued, Prompt
    from ....runtime.tasks.language_model.sampling import Sampling

    given = {
        name.removeprefix("--").replace("-", "_"): options[name]
        for name in _SAMPLING
        if options[name] is not None
    }
    most, stop = options["--max-tokens"], tuple(options["--stop"] or ())
    asked = Prompt("", _MOST if most is None else most, stop, Sampling(**given))
    for one in inputs(texts, path, runtime.features, runtime.manifest):
        try:
            stream = runtime.stream(replace(asked, text=one.value()))
            for part in stream:
                if not json:
                    print(part, end="", flush=True)
            answer = stream.answer()
        except MemoryBudgetError:
            raise
        except UsageError as error:
            if texts:
                raise
            watch.refuse(one, error)
            continue
        assert isinstance(answer, Continued)
        watch.look(answer)
        print(_json(answer, runtime.task.routing) if json else "", flush=True)


def _json(answer: Continued, routing: Mapping[str, float]) -> str:
    from json import dumps

    content = {
        "schema_version": "1.0",
        "text": answer.text,
        "tokens": answer.tokens,
        "tokens_per_second": round(answer.tokens_per_second, 2),
        "seconds_to_first_token": round(answer.first_us / 1e6, 6),
        "token_ids": answer.token_ids,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "reused_tokens": answer.reused_tokens,
        "expert_loads": answer.expert_loads,
        "expert_hits": answer.expert_hits,
        "bytes_read": answer.bytes_read,
        "score": round(answer.score, 6),
        "degraded": answer.degraded,
        "reason": answer.reason,
        "routing_options": dict(routing),
    }
    return dumps(content, ensure_ascii=False)


def unknown_labels(dataset: Dataset, manifest: Manifest) -> set[str]:
    """Return none: a document's label names its source, which a bundle does not know."""
    return set()


def evaluate(
    runtime: ExpertRuntime, dataset: Dataset, split: Split, *, name: str, show: int, seed: int
) -> Evaluation:
    from ....benchmarking.tasks.language_model import document_losses
    from ....datasets.targets.document_losses import scores
    from ....runtime.routing_options import told
    from ....runtime.tasks.language_model import LanguageModel

    task = runtime.task
    assert isinstance(task, LanguageModel)
    measured = scores(document_losses(runtime, split.inputs))
    tokens = int(measured["tokens"])
    found = {
        "loss": round(measured["loss"], 6),
        "perplexity": round(measured["perplexity"], 4),
        "bits_per_byte": round(measured["bits_per_byte"], 6),
        "accuracy": round(measured["accuracy"], 6),
        "tokens": tokens,
        "documents": len(split),
        "routing_options": dict(task.routing),
    }
    shown = samples(runtime, task, split, show, seed)
    lines = [f"{one['beginning']}\n  continued: {one['written']}" for one in shown]
    options = f", with {told(task.routing)}" if task.routing else ""
    line = (
        f"perplexity {found['perplexity']:.2f}, loss {found['loss']:.4f} nats a token, "
        f"{found['bits_per_byte']:.3f} bits per byte, {found['accuracy']:.1%} of tokens "
        f"predicted rightly, on {tokens:,} tokens of {len(split):,} "
        f"documents of {dataset.name}, {name}{options}"
    )
    return Evaluation({**found, **({"shown": shown} if shown else {})}, [*lines, line])


def samples(
    runtime: ExpertRuntime, task: LanguageModel, split: Split, count: int, seed: int
) -> list[dict[str, str]]:
    """Continue the beginnings of documents drawn by the seed; none is chosen by hand."""
    import numpy as np

    from ....runtime.tasks.language_model.continuation import Prompt

    shown = []
    for row in np.random.default_rng(seed).permutation(len(split))[:count].tolist():
        tokens = task.vocabulary.tokens(str(split.inputs[row]))[:_BEGINNING]
        beginning = task.vocabulary.text(tokens)
        answer = runtime.predict(Prompt(beginning, _SHOWN))
        shown.append({"beginning": beginning, "written": answer.text})
    return shown
