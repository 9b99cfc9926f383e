"""Cost and use of options that trade quality for speed, with a part of the experts in memory.

The beginnings of test texts are read token by token, as a text is written, one after the other with
the experts that are then in memory. The rows of a table differ in their options alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts import datasets
from edge_experts.benchmarking.measure.intervals import student_t
from edge_experts.benchmarking.measure.timeline import Watched
from edge_experts.errors import UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.progress import Progress
from edge_experts.runtime.tasks.language_model.language_model_task import LanguageModel

from .perplexity import beginnings

SHARES = (1.0, 0.5, 0.25)  # of the experts in memory


@dataclass(frozen=True)
class Setting:
    """Options of one row.

    Attributes:
        share: of the experts that may be in memory.
    """

    share: float
    prefer_resident: float = 0.0
    experts_per_token: int | None = None


@dataclass(frozen=True)
class Outcome:
    """Result of one setting.

    Attributes:
        texts, tokens: numbers of texts and of predicted tokens.
        change: of the perplexity, as a share of that without options; `interval` is its half-width
            (95 %, over texts), None for one text.
        hit_rate: share of the uses of experts that were in memory.
        bytes_per_token: of the experts' files that were loaded.
    """

    setting: Setting
    texts: int
    tokens: int
    perplexity: float
    change: float
    interval: float | None
    hit_rate: float
    bytes_per_token: float


def measure(bundle: Path, data: str, tokens: int, margins: Sequence[float]) -> list[Outcome]:
    """Measure all settings on the same texts.

    Raises:
        UsageError: the bundle is no language model, or has one expert for each token.
    """
    texts = list(datasets.load(data, task_type="language-model").test.inputs)
    with Watched(bundle) as runtime:
        task = runtime.task
        if not isinstance(task, LanguageModel) or runtime.manifest.top_k < 2:
            raise UsageError(
                f"{bundle}: must be a language model with two or more experts for each token"
            )
        chosen = list(beginnings(task, texts, tokens, task.context))
        most = runtime.manifest.top_k
    settings = list(_settings(margins, most))
    found: list[Outcome] = []
    plain: dict[float, np.ndarray] = {}
    with Progress("Reading texts", len(settings) * len(chosen)) as progress:
        for setting in settings:
            nats, hits, read = _read(bundle, setting, chosen, progress)
            plain.setdefault(setting.share, nats)
            found.append(_outcome(setting, nats, plain[setting.share], chosen, hits, read))
    return found


def as_table(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Build one row for each setting."""
    head = ["in memory", "options", "perplexity", "change", "hits", "kB a token"]
    return [head, *([*_told(one.setting), *_figures(one)] for one in outcomes)]


def _settings(margins: Sequence[float], most: int) -> Iterator[Setting]:
    for share in SHARES:
        yield Setting(share)
        if share < 1:
            yield from (Setting(share, margin) for margin in margins)
        yield from (Setting(share, 0.0, count) for count in range(most - 1, 0, -1))


def _read(
    bundle: Path, setting: Setting, chosen: Sequence[Sequence[int]], progress: Progress
) -> tuple[np.ndarray, float, int]:
    """Return the losses of each text, (texts,), the rate of hits, and the bytes that were read."""
    with Watched(
        bundle,
        max_experts=_count(bundle, setting.share),
        strict=True,
        prefer_resident=setting.prefer_resident,
        experts_per_token=setting.experts_per_token,
    ) as runtime:
        task, nats = runtime.task, []
        assert isinstance(task, LanguageModel)
        for one in chosen:
            nats.append(float(task.losses(one, runtime.access, rows=1)[0].sum()))
            progress.step("")
        loaded, experts = runtime.models.loaded, runtime.manifest.experts
        each = (setting.experts_per_token or runtime.manifest.top_k) * len(runtime.manifest.layers)
        uses = each * sum(len(one) - 1 for one in chosen)
        read = sum(experts[index].bytes for index in loaded)
        return np.array(nats), 1 - len(loaded) / uses, read


def _count(bundle: Path, share: float) -> int:
    return max(1, round(share * len(read_manifest(bundle).experts)))


def _outcome(
    setting: Setting,
    nats: np.ndarray,
    plain: np.ndarray,
    chosen: Sequence[Sequence[int]],
    hits: float,
    read: int,
) -> Outcome:
    counts = np.array([len(one) - 1 for one in chosen])
    total = int(counts.sum())
    # The mean difference of a token's loss, a ratio of sums over texts.
    difference = float((nats - plain).sum()) / total
    change, interval = math.expm1(difference), None
    if len(counts) > 1:
        apart = (nats - plain) - difference * counts
        error = math.sqrt(float((apart**2).sum()) * len(counts) / (len(counts) - 1)) / total
        interval = student_t(len(counts) - 1) * error * (1 + change)
    return Outcome(
        setting,
        texts=len(counts),
        tokens=total,
        perplexity=math.exp(float(nats.sum()) / total),
        change=change,
        interval=interval,
        hit_rate=hits,
        bytes_per_token=read / total,
    )


def _told(setting: Setting) -> tuple[str, str]:
    options = "none"
    if setting.prefer_resident:
        options = f"--prefer-resident {setting.prefer_resident:g}"
    if setting.experts_per_token:
        options = f"--experts-per-token {setting.experts_per_token}"
    return f"{setting.share:.0%}", options


def _figures(one: Outcome) -> list[str]:
    is_plain = not (one.setting.prefer_resident or one.setting.experts_per_token)
    within = "unknown" if one.interval is None else f"{one.interval:.1%}"
    return [
        f"{one.perplexity:.2f}",
        "" if is_plain else f"{one.change:+.1%} ± {within}",
        f"{one.hit_rate:.1%}",
        f"{one.bytes_per_token / 1000:.0f}",
    ]
