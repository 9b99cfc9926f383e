"""A subword vocabulary for sentences and their translations, by sentencepiece."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import DataError, MissingExtraError
from ...features.lexicon import Lexicon
from ...features.pieces import END, PADDING, UNKNOWN, PieceFeatures
from ...features.sentence_rules import TableSentences
from ...format.expert_names import languages

_BYTES = 256


def learn(
    sentences: Iterable[str], names: Sequence[str], *, size: int, length: int
) -> PieceFeatures:
    """Build features with a vocabulary for these sentences; unknown characters become bytes.

    Args:
        sentences: sentences of all languages together.
        names: names of experts, as in `PieceFeatures`.
        size: largest size of the vocabulary, with its special tokens.
        length: largest number of tokens of a sentence, with its target and its end.

    Raises:
        DataError: no vocabulary can be built from the sentences.
        MissingExtraError: sentencepiece is not installed.
    """
    return features(train(sentences, languages(names), size=size), names, length=length)


def train(sentences: Iterable[str], targets: Sequence[str], *, size: int) -> bytes:
    """Train a sentencepiece model for these languages; parameters as for `learn`."""
    model = io.BytesIO()
    try:
        library().SentencePieceTrainer.train(
            sentence_iterator=map(TableSentences.trained().normalized, sentences),
            model_writer=model,
            vocab_size=size,
            hard_vocab_limit=False,  # a small set has fewer tokens
            model_type="bpe",
            normalization_rule_name="identity",
            character_coverage=0.9999,
            byte_fallback=True,
            pad_id=PADDING,
            eos_id=END,
            unk_id=UNKNOWN,
            bos_id=-1,
            control_symbols=[f"<{target}>" for target in targets],
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise DataError(f"no vocabulary can be built from these sentences: {error}") from None
    return model.getvalue()


def features(model: bytes, names: Sequence[str], *, length: int) -> PieceFeatures:
    """Features with the pieces of a sentencepiece model."""
    learned = library().SentencePieceProcessor(model_proto=model)
    first = UNKNOWN + 1 + len(languages(names)) + _BYTES
    pieces = [learned.id_to_piece(index) for index in range(first, learned.get_piece_size())]
    return PieceFeatures(Lexicon.of(pieces), names, length, TableSentences.trained())


def library() -> Any:
    """Import sentencepiece.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import sentencepiece
    except ModuleNotFoundError:
        raise MissingExtraError("sentencepiece", "translation") from None
    return sentencepiece
