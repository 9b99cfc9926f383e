"""Hostile tokenizers of bundles: used or refused, in bounded time and memory."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.errors import ManifestError, UsageError
from edge_experts.features import TokenizerFeatures, restore
from edge_experts.features import tokenizer as tokenizers
from edge_experts.features import tokenizer_rules as rules
from edge_experts.features.tokenizer_patterns import refuse_slow
from edge_experts.format.limits import LIMITS

from ..small_tokenizers import LLAMA_3
from .test_hostile_arrays import TOKENIZER, bounded

REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}


def opened(
    content: Any = TOKENIZER, template: str | None = None, **settings: Any
) -> TokenizerFeatures:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    arrays = {"tokenizer": np.frombuffer(raw, np.uint8)}
    if template is not None:
        arrays["template"] = np.frombuffer(template.encode(), np.uint8)
    given = {"start": [0], "ends": [0], "names": {}, **settings}
    made = restore("tokenizer", given, arrays)
    assert isinstance(made, TokenizerFeatures)
    return made


def with_(*at: str, value: Any) -> dict[str, Any]:
    """The tokenizer with another value at a place."""
    made = copy.deepcopy(TOKENIZER)
    inner: Any = made
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return made


def _added(count: int) -> None:
    one = TOKENIZER["added_tokens"][0]
    more = [{**one, "id": 4 + place, "content": f"<{place}>"} for place in range(count - 1)]
    opened(with_("added_tokens", value=[one, *more]))


def _token(count: int) -> None:
    vocabulary = {**TOKENIZER["model"]["vocab"], "a" * count: 4}
    opened(with_("model", "vocab", value=vocabulary))


def _pattern(count: int) -> None:
    step = {"type": "Split", "behavior": "Isolated", "invert": False}
    opened(with_("pre_tokenizer", value={**step, "pattern": {"Regex": "a" * count}}))


def _repeats(count: int) -> None:
    step = {"type": "Split", "behavior": "Isolated", "invert": False}
    pattern = {"Regex": "x+|" + "a?" * count + "b"}
    opened(with_("pre_tokenizer", value={**step, "pattern": pattern}))


AT_LIMITS: dict[str, Callable[[int], object]] = {
    "tokenizer_bytes": lambda count: opened(json.dumps(TOKENIZER).encode().ljust(count)),
    "tokenizer_steps": lambda count: (
        opened(with_("decoder", value={"type": "Sequence", "decoders": [{"type": "Fuse"}] * count}))
        and None
    ),
    "pattern_characters": _pattern,
    "pattern_repeats": _repeats,
    "token_characters": _token,
    "added_tokens": _added,
    "end_tokens": lambda count: opened(ends=[0] * count),
    "template_bytes": lambda count: opened(template="a" * count),
}


@pytest.mark.parametrize("name", AT_LIMITS)
def test_a_tokenizer_at_a_limit_is_taken_and_one_beyond_it_refused(name: str) -> None:
    limit = getattr(LIMITS, name)
    AT_LIMITS[name](limit)
    with pytest.raises(ManifestError):
        AT_LIMITS[name](limit + 1)


def test_the_values_of_a_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    count = sum(map(json.dumps(TOKENIZER).count, ",[{"))
    monkeypatch.setattr(rules, "LIMITS", replace(LIMITS, tokenizer_values=count))
    opened()
    monkeypatch.setattr(rules, "LIMITS", replace(LIMITS, tokenizer_values=count - 1))
    with pytest.raises(ManifestError, match=f"more than {count - 1} values"):
        opened()


def test_the_growth_of_a_text() -> None:
    steps = [REPLACE] * 5  # twice the length each; twice again by ByteLevel
    opened(with_("normalizer", value={"type": "Sequence", "normalizers": steps}))
    with pytest.raises(ManifestError, match="128 times as long; at most 64 times"):
        opened(with_("normalizer", value={"type": "Sequence", "normalizers": [*steps, REPLACE]}))


@pytest.mark.parametrize(
    "pattern",
    [
        LLAMA_3,
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{M}]*[\p{Ll}\p{Lm}\p{M}]+(?i:'s|'t|'re)?|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        r"\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))",
        r"[一-龥ぁ-ゔァ-ヴー々〆〤ヶ]+",
        r" {2,}",
    ],
)
def test_patterns_of_published_tokenizers_are_taken(pattern: str) -> None:
    refuse_slow(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$",
        "((a+))+",
        "(a?){30}a{30}",
        "(?:a{1,9}){1,9}",
        "((a|b){2}){40}",
        "(x(y+)z)*",
        "(a?a?a?a?a?)(a?a?a?a?a?)b",
        r"(a)\1+",
        r"\k<a>",
        "(?<a>b)",
        "[[:alpha:]]+",
        "(a",
        "a)",
        "[a",
        "a\\",
        "",
    ],
)
def test_patterns_that_may_be_slow_or_are_not_understood_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        refuse_slow(pattern)


@given(st.text(st.sampled_from("ab(|)*+?{2,}[^]\\pLxs:!=<")))
def test_any_pattern_that_is_taken_is_fast(pattern: str) -> None:
    step = {"type": "Split", "behavior": "Isolated", "invert": False}
    try:
        made = opened(with_("pre_tokenizer", value={**step, "pattern": {"Regex": pattern}}))
    except ManifestError:
        return
    begin = time.process_time()
    for text in ("a" * 40 + "!", "ab" * 20 + "!", "aab" * 12):
        try:
            made.tokens(text)
        except UsageError:
            continue
    assert time.process_time() - begin < 1


ODD: list[Any] = [
    None,
    True,
    -1,
    2**40,
    1.5,
    "",
    "x" * 50,
    [],
    [None],
    [[]],
    {},
    {"type": None},
    "\ud800",
]


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        found += _places(inner, (*at, key))
    return found


PARTS: dict[str, Any] = {
    **TOKENIZER,
    "normalizer": {
        "type": "Sequence",
        "normalizers": [{"type": "Prepend", "prepend": "_"}, REPLACE, {"type": "NFC"}],
    },
    "decoder": {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "_"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    },
}


@pytest.mark.parametrize("whole", [TOKENIZER, PARTS])
def test_every_part_with_every_odd_value_is_refused_or_works(whole: dict[str, Any]) -> None:
    opened(whole)
    tried = 0
    with bounded(20_000_000):
        for at in _places(whole):
            for odd in ODD:
                made = copy.deepcopy(whole)
                inner: Any = made
                for key in at[:-1]:
                    inner = inner[key]
                inner[at[-1]] = odd
                tried += _tried(json.dumps(made).encode())
    assert tried


def _tried(raw: bytes) -> bool:
    """Test if the tokenizer was taken; then it encodes and decodes, or refuses the text."""
    try:
        made = opened(raw)
    except ManifestError:
        return False
    for text in ("", "ab <s>", "ä日\0" * 20):
        try:
            ids = made.tokens(text)
        except UsageError:
            continue
        assert all(0 <= one < made.size for one in ids)
        made.text(ids)
    return True


@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=3), st.integers(0, 3))
def test_any_changed_bytes_are_refused_or_work(place: int, content: bytes, cut: int) -> None:
    raw = json.dumps(PARTS).encode()
    place %= len(raw)
    _tried(raw[:place] + content + raw[place + cut :])


def test_a_panic_of_the_library_is_an_error() -> None:
    """tokenizers 0.23 panics at NFC after a Prepend of nothing."""
    steps = [{"type": "Prepend", "prepend": ""}, {"type": "NFC"}]
    made = opened(with_("normalizer", value={"type": "Sequence", "normalizers": steps}))
    with pytest.raises(UsageError, match="cannot encode the text: index out of bounds"):
        made.tokens("a")
    with pytest.raises(KeyboardInterrupt):
        tokenizers._refuse_panic(KeyboardInterrupt())
