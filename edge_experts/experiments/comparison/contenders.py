"""The contenders of a comparison: training, compression and conversion of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...errors import UsageError
from ...training import default_settings
from ...training.config import TrainConfig

SPARSE, TOP_2, RANDOM, HASH = "sparse", "sparse-top-2", "random-routed", "hash-routed"
ARTICLE, ONE = "article", "one-expert"
DENSE_ACTIVE, DENSE_ALL, DENSE_BUCKETS = "dense-active", "dense-all", "dense-buckets"
PRUNED, QAT, FLOAT = "dense-pruned", "dense-qat", "dense-float"
ONNX = "dense-onnx"


@dataclass(frozen=True)
class ComparedModel:
    """One row of the comparison.

    Attributes:
        settings: training settings; None: it uses another contender's training.
        of: the contender whose run folder it uses.
        compress: compression of that run before conversion.
        top_k: number of experts that answer, if not as trained.
        quantization: replaces the requested one.
        onnx: True if ONNX Runtime runs it, with int8 by its own static quantization.
        taught: True if it learns from the teacher, where there is one.
    """

    name: str
    settings: Callable[[TrainConfig], TrainConfig] | None = None
    of: str | None = None
    compress: str | None = None
    top_k: int | None = None
    quantization: str | None = None
    onnx: bool = False
    taught: bool = True


def _routed(kind: str) -> Callable[[TrainConfig], TrainConfig]:
    return lambda config: replace(config, router=kind, router_model=None)


def _dense(size: str) -> Callable[[TrainConfig], TrainConfig]:
    return lambda config: replace(config, dense=size)


def _article(config: TrainConfig) -> TrainConfig:
    """Settings of the article's method: one stage, with as many epochs as a dense network."""
    return default_settings.article(replace(config, epochs=config.all_epochs, teacher_epochs=0))


CONTENDERS = {
    contender.name: contender
    for contender in (  # contenders come after those that they use
        ComparedModel(SPARSE, lambda config: config),
        ComparedModel(TOP_2, of=SPARSE, top_k=2),
        ComparedModel(RANDOM, _routed("random")),
        ComparedModel(HASH, _routed("hash")),
        ComparedModel(ARTICLE, _article, taught=False),
        ComparedModel(ONE, _dense("one")),
        ComparedModel(DENSE_ACTIVE, _dense("active")),
        ComparedModel(DENSE_ALL, _dense("all")),
        ComparedModel(DENSE_BUCKETS, _dense("buckets")),
        ComparedModel(PRUNED, of=DENSE_ALL, compress="pruning"),
        ComparedModel(QAT, of=DENSE_ALL, compress="quantization-aware", quantization="int8"),
        ComparedModel(FLOAT, of=DENSE_ALL, quantization="float32"),
        ComparedModel(ONNX, of=DENSE_ALL, quantization="int8", onnx=True),
    )
}
NAMES = tuple(CONTENDERS)
# Rows whose method takes a network from inputs to answers, or has no router.
WITHOUT_BACKBONE = (ARTICLE, ONE, PRUNED, ONNX)
MUST_HOLD = (SPARSE, DENSE_ACTIVE, DENSE_ALL)  # rows that no comparison works without


def chosen(
    rows: Sequence[str] | None, *, buckets: bool = False, names: Sequence[str] = NAMES
) -> tuple[ComparedModel, ...]:
    """Contenders of these names, in order; all by default.

    The dense networks are always included, since they define the gap, and so are contenders whose
    runs the chosen ones use.

    Args:
        buckets: True if the networks are bags of n-grams: then one with more buckets is a dense
            baseline too.
        names: those that the task has.

    Raises:
        UsageError: a name is unknown.
    """
    unknown = sorted(set(rows or ()) - set(names))
    if unknown:
        raise UsageError(f"rows must be of {', '.join(names)}; got {', '.join(unknown)}")
    wanted = set(names if rows is None else rows) | {DENSE_ACTIVE, DENSE_ALL}
    if buckets:
        wanted.add(DENSE_BUCKETS)
    elif rows is None:
        wanted.discard(DENSE_BUCKETS)
    wanted |= {base for name in wanted if (base := CONTENDERS[name].of)}
    return tuple(contender for contender in CONTENDERS.values() if contender.name in wanted)
