"""Checks of a tokenizer.json before the `tokenizers` library parses it.

The file may come from strangers. The library trusts it: a padding of 2**40 tokens is allocated, and
a sequence of replacements doubles a text at each step. So only what published decoder models use is
accepted, within limits; all else is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..format.limits import LIMITS
from ..format.strict_json import strict_json
from .tokenizer_patterns import refuse_slow

_PLAIN_NORMALIZERS = {"NFC": 4, "NFD": 4, "NFKC": 18, "NFKD": 18, "Lowercase": 3, "Strip": 1}
_PRE_TOKENIZERS = ("ByteLevel", "Digits", "Metaspace", "Punctuation", "Sequence", "Split")
_MODELS = ("BPE", "Unigram")
_WITHOUT = ("truncation", "padding", "post_processor")


@dataclass(frozen=True)
class TokenizerSummary:
    """Facts of a checked tokenizer.json.

    Attributes:
        size: number of ids: one more than the largest.
        specials: ids of special tokens, which have no text.
        special_texts: their contents.
        decoder: its decoder, a JSON object.
    """

    size: int
    specials: frozenset[int]
    special_texts: tuple[str, ...]
    decoder: Mapping[str, Any]


def parsed(content: bytes) -> dict[str, Any]:
    """Parse a tokenizer.json.

    Raises:
        ValueError: it is not a JSON object, or larger than a limit.
    """
    if len(content) > LIMITS.tokenizer_bytes:
        raise ValueError(f"the tokenizer has more than {LIMITS.tokenizer_bytes:,} bytes")
    try:
        found = strict_json(content, LIMITS.tokenizer_values)
    except RecursionError:
        raise ValueError("the tokenizer is nested too deep") from None
    return _object(found, "tokenizer")


def check(found: Mapping[str, Any]) -> TokenizerSummary:
    """Check the parts of a tokenizer.json.

    Raises:
        ValueError: names the part that is not supported, or exceeds a limit.
    """
    for name in _WITHOUT:
        if found.get(name) is not None:
            raise ValueError(f"{name} must be null")
    ids = _vocabulary(_object(found.get("model"), "model"))
    specials: dict[int, str] = {}
    added = found.get("added_tokens") or []
    if not isinstance(added, list) or len(added) > LIMITS.added_tokens:
        raise ValueError(f"added_tokens must be a list of at most {LIMITS.added_tokens:,}")
    for entry in added:
        one = _object(entry, "added_tokens")
        token, text = _id(one.get("id")), _token(one.get("content"))
        if not text:
            raise ValueError("added_tokens: content must not be empty")
        if ids.setdefault(text, token) != token:
            raise ValueError(f"added_tokens: {text!r:.40} has two ids")
        if one.get("special") is True:
            specials[token] = text
    if len(set(ids.values())) != len(ids):
        raise ValueError("two tokens have one id")
    growth = _normalized(found.get("normalizer")) * _divided(found.get("pre_tokenizer"))
    if growth > LIMITS.tokenizer_growth:
        raise ValueError(
            f"normalizer and pre_tokenizer could make a text {growth:,} times as long; at most "
            f"{LIMITS.tokenizer_growth} times is supported"
        )
    return TokenizerSummary(
        max(ids.values()) + 1,
        frozenset(specials),
        tuple(specials.values()),
        _object(found.get("decoder"), "decoder"),
    )


def _vocabulary(model: Mapping[str, Any]) -> dict[str, int]:
    """Check the model; return its tokens and their ids."""
    kind = model.get("type")
    if kind not in _MODELS:
        raise ValueError(f"model {kind!r:.40} is not supported; {' and '.join(_MODELS)} are")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise ValueError(f"model: {name} is not supported")
    vocabulary = model.get("vocab")
    if kind == "Unigram":
        if not isinstance(vocabulary, list):
            raise ValueError("model: vocab must be a list")
        pairs = [_pair(one)[0] for one in vocabulary]
        ids = {_token(text): place for place, text in enumerate(pairs)}
        if len(ids) != len(pairs):
            raise ValueError("model: vocab has a token twice")
    else:
        ids = {
            _token(text): _id(token) for text, token in _object(vocabulary, "model: vocab").items()
        }
        _check_merges(model.get("merges"), ids)
    if not 0 < len(ids) <= LIMITS.network_size:
        raise ValueError(f"model: vocab must have 1 to {LIMITS.network_size:,} tokens")
    return ids


def _check_merges(merges: Any, ids: Mapping[str, int]) -> None:
    if not isinstance(merges, list) or len(merges) > LIMITS.network_size:
        raise ValueError(f"model: merges must be a list of at most {LIMITS.network_size:,}")
    for merge in merges:
        left, right = _pair(merge.split(" ") if isinstance(merge, str) else merge)
        if left not in ids or right not in ids or left + right not in ids:
            raise ValueError(f"model: merges: {merge!r:.60} is not of tokens of the vocabulary")


def _normalized(step: Any) -> int:
    """Check a normalizer; return the factor by which it may lengthen a text."""
    growth = 1
    for one in _steps(step, "normalizer", "normalizers"):
        kind = one.get("type")
        if kind == "Prepend":
            _short(one.get("prepend"), "normalizer: prepend")
            growth *= 2
        elif kind == "Replace":
            growth *= 1 + len(_short(one.get("content"), "normalizer: content").encode())
            _check_pattern(one.get("pattern"), "normalizer")
        elif kind in _PLAIN_NORMALIZERS:
            growth *= _PLAIN_NORMALIZERS[kind]
        else:
            known = ", ".join(["Prepend", "Replace", "Sequence", *_PLAIN_NORMALIZERS])
            raise ValueError(f"normalizer {kind!r:.40} is not supported; there are {known}")
    return growth


def _divided(step: Any) -> int:
    """Check a pre-tokenizer; return the factor by which it may lengthen a text."""
    growth = 1
    for one in _steps(step, "pre_tokenizer", "pretokenizers"):
        kind = one.get("type")
        if kind not in _PRE_TOKENIZERS:
            known = ", ".join(_PRE_TOKENIZERS)
            raise ValueError(f"pre_tokenizer {kind!r:.40} is not supported; there are {known}")
        if kind == "Split":
            _check_pattern(one.get("pattern"), "pre_tokenizer")
        elif kind == "ByteLevel":
            growth *= 2
        elif kind == "Metaspace":
            _one_character(one.get("replacement"))
            growth *= 3
    return growth


def _steps(step: Any, name: str, key: str) -> Sequence[Mapping[str, Any]]:
    """Return the steps of a sequence in their order, at most `tokenizer_steps`."""
    found, waiting = [], [] if step is None else [step]
    while waiting:
        one = _object(waiting.pop(), name)
        if one.get("type") == "Sequence":
            parts = one.get(key)
            if not isinstance(parts, list):
                raise ValueError(f"{name}: {key} must be a list")
            waiting += reversed(parts[: LIMITS.tokenizer_steps + 1])
        else:
            found.append(one)
        if len(found) + len(waiting) > LIMITS.tokenizer_steps:
            raise ValueError(f"{name} must have at most {LIMITS.tokenizer_steps} steps")
    return found


def decoder_steps(decoder: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the steps of a decoder in their order."""
    return _steps(decoder, "decoder", "decoders")


def _check_pattern(pattern: Any, where: str) -> None:
    one = _object(pattern, f"{where}: pattern")
    if set(one) == {"Regex"} and isinstance(one["Regex"], str):
        refuse_slow(one["Regex"])
    elif set(one) != {"String"} or not _short(one["String"], f"{where}: pattern"):
        raise ValueError(f"{where}: pattern must have a Regex or a String")


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object, got {value!r:.40}")
    return value


def _pair(value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"model: must have pairs, got {value!r:.40}")
    return value[0], value[1]


def _short(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > LIMITS.pattern_characters:
        raise ValueError(
            f"{where} must be a text of at most {LIMITS.pattern_characters:,} characters"
        )
    return value


def _one_character(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1:
        raise ValueError(f"replacement must be one character, got {value!r:.40}")
    return value


def _token(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LIMITS.token_characters:
        raise ValueError(
            f"a token must be a text of at most {LIMITS.token_characters:,} characters"
        )
    return value


def _id(value: Any) -> int:
    if type(value) is not int or not 0 <= value < LIMITS.network_size:
        raise ValueError(f"an id must be 0 to {LIMITS.network_size - 1:,}, got {value!r:.40}")
    return value
