"""Scores of translations: chrF and BLEU by sacrebleu, the standard library for them.

(Popović, 2015, https://aclanthology.org/W15-3049; Post, 2018, https://arxiv.org/abs/1804.08771)
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import MissingExtraError


def scores(made: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """{"chrf", "bleu"} of translations with one reference each, both from 0 to 100.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    try:
        import sacrebleu
    except ModuleNotFoundError:
        raise MissingExtraError("sacrebleu", "translation") from None
    return {
        "chrf": round(sacrebleu.corpus_chrf(list(made), [list(wanted)]).score, 3),
        "bleu": round(sacrebleu.corpus_bleu(list(made), [list(wanted)]).score, 3),
    }
