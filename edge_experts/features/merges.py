"""Byte-pair merges: the tokens of a word, from the characters up.

(Sennrich et al., 2016, https://arxiv.org/abs/1508.07909)
"""

from __future__ import annotations

from collections.abc import Sequence

from .lexicon import Lexicon


def merged(parts: list[bytes], lexicon: Lexicon) -> list[bytes]:
    """Merge neighbours in place: the earliest merge of the lexicon first, the left one of ties."""
    ranks = [_rank(parts, left, lexicon) for left in range(len(parts) - 1)]
    while ranks and (earliest := min(ranks)) < len(lexicon):
        left = ranks.index(earliest)
        parts[left : left + 2] = [parts[left] + parts[left + 1]]
        del ranks[left]
        for beside in range(max(0, left - 1), min(left + 1, len(ranks))):
            ranks[beside] = _rank(parts, beside, lexicon)
    return parts


def ids(part: bytes, lexicon: Lexicon, first_byte: int) -> list[int]:
    """Return the id of a part; the ids of its bytes if the lexicon lacks it.

    Args:
        first_byte: id of byte 0; the ids of the lexicon follow those of the 256 bytes.
    """
    place = lexicon.place(part)
    if place is not None:
        return [first_byte + 256 + place]
    return [first_byte + byte for byte in part]


def spelled(tokens: Sequence[int], lexicon: Lexicon, first_byte: int) -> bytes:
    """Return the bytes of tokens; ids below `first_byte` have none."""
    content = bytearray()
    for token in tokens:
        if token >= first_byte + 256:
            content += lexicon[token - first_byte - 256]
        elif token >= first_byte:
            content.append(token - first_byte)
    return bytes(content)


def _rank(parts: Sequence[bytes], left: int, lexicon: Lexicon) -> int:
    """Return the rank of the merge of two neighbours; the lexicon's size if none exists."""
    place = lexicon.place(parts[left] + parts[left + 1])
    return len(lexicon) if place is None else place
