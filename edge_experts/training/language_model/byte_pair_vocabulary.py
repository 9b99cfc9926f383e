"""Vocabulary for any text, learned by sentencepiece."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from ...errors import DataError
from ...features.byte_pairs import FIRST_PIECE, BytePairFeatures, lexicon_of
from ..translation.vocabulary import library

_SPECIALS = 1  # pieces before the bytes: unknown, which does not occur
_CACHED_WORDS = 2**18
_LINE = 4000  # bytes of a line that sentencepiece takes


def learn(texts: Iterable[str], size: int) -> BytePairFeatures:
    """Learn merges from texts.

    Args:
        size: largest number of ids, with the end and the 256 bytes.

    Raises:
        DataError: the size leaves no piece beside the bytes, or no merge can be learned.
        MissingExtraError: sentencepiece is not installed.
    """
    if size <= FIRST_PIECE:
        raise DataError(
            f"language_model.pieces must be above {FIRST_PIECE}, which the end and the bytes take"
        )
    model, sentencepiece = io.BytesIO(), library()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(texts),
            model_writer=model,
            vocab_size=size - FIRST_PIECE + _SPECIALS + 256,
            hard_vocab_limit=False,  # a small text has fewer pieces
            model_type="bpe",
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            character_coverage=0.9999,
            byte_fallback=True,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        if "smaller than required_chars" in str(error):
            raise DataError(
                f"language_model.pieces {size} is too small for the characters of this text; give "
                "a larger one"
            ) from None
        raise DataError(f"no vocabulary can be learned from this text: {error}") from None
    learned = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    first = _SPECIALS + 256
    pieces = [learned.id_to_piece(index) for index in range(first, learned.get_piece_size())]
    return BytePairFeatures(lexicon_of(pieces), _CACHED_WORDS)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield lines of at most `_LINE` bytes, without what sentencepiece cannot read."""
    for text in texts:
        for line in text.encode("utf-8", "replace").replace(b"\0", b" ").split(b"\n"):
            for start in range(0, len(line), _LINE):
                yield line[start : start + _LINE].decode("utf-8", "ignore")
