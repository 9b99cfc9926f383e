"""Texts as pieces and back, whatever is in them."""

from __future__ import annotations

import unicodedata
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.errors import UsageError
from edge_experts.features import PieceFeatures, restore
from edge_experts.features.lexicon import Lexicon
from edge_experts.features.pieces import END, FIRST_TARGET, HIDDEN, PADDING
from edge_experts.features.sentence_rules import PythonSentences, TableSentences
from edge_experts.runtime.tasks.translation.task import named

SPACE = "\u2581"
PIECES = [f"{SPACE}d", "en", "er", f"{SPACE}der", "est", SPACE, *"abcdefghijklmnopqrstuvwxyz.,"]
RULES: tuple[TableSentences | PythonSentences, ...] = (TableSentences.trained(), PythonSentences())
FEATURES, OLD = (PieceFeatures(Lexicon.of(PIECES), ["de", "fr"], 16, rules) for rules in RULES)


def _named(text: str) -> list[str]:
    first = FEATURES.size - len(PIECES)
    return [
        PIECES[piece - first] if piece >= first else f"byte {piece - FIRST_TARGET - 2}"
        for piece in FEATURES.pieces(text)
    ]


def test_the_earliest_merge_comes_first() -> None:
    # "est" stands among the pieces, but nothing merges to "es" or "st" on the way.
    assert _named("der den best") == [f"{SPACE}der", f"{SPACE}d", "en", SPACE, *"best"]


def test_what_no_piece_has_is_spelled_in_bytes() -> None:
    assert _named("ä") == [SPACE, "byte 195", "byte 164"]


@given(st.text(max_size=60))
def test_any_text_comes_back_as_it_was_but_for_what_does_not_show(text: str) -> None:
    for features, rules in zip((FEATURES, OLD), RULES, strict=True):
        again = features.text(features.pieces(text))
        assert again == rules.normalized(text)
        assert not any(unicodedata.category(one) == "Cc" for one in again)


# What composes, what marks others, what does not show, and what a piece begins with.
ODD = st.text(
    alphabet="aeo .?\u0301\u0316\u200b\ufeff\x00\x1b\n\u2581\u1100\u1161\ud800", max_size=90
)


@given(ODD)
def test_what_is_normalized_stays_so(text: str) -> None:
    for features, rules in zip((FEATURES, OLD), RULES, strict=True):
        plain = rules.normalized(text)
        assert rules.normalized(plain) == plain == features.text(features.pieces(text))
        assert unicodedata.is_normalized("NFC", plain)


@given(st.integers(150, 1000), st.sampled_from(["a", "\u65e5", "\U0001f642"]))
def test_words_of_any_length_come_back_in_parts(length: int, character: str) -> None:
    again = FEATURES.text(FEATURES.pieces(character * length))
    assert again.replace(" ", "") == character * length
    assert max(map(len, again.split())) <= 200


@given(st.lists(st.tuples(st.text(max_size=30), st.sampled_from(["de", "fr"])), max_size=5))
def test_any_examples_come_back_from_an_array(examples: list[tuple[str, str]]) -> None:
    assert FEATURES.unpack(FEATURES.pack(examples)) == examples


@pytest.mark.parametrize("part", ["\u0301\u0316" * 9_990, "a" * 19_990, "\u65e5" * 19_990])
def test_the_time_of_a_text_grows_with_its_length(part: str) -> None:
    """It grew with the square before: minutes for marks on one character."""

    def seconds(text: str) -> float:
        start = process_time()
        FEATURES.sentences(text)
        return process_time() - start

    first, fifth = (min(seconds("a" + part * times) for _ in range(3)) for times in (1, 5))
    assert fifth < 12 * first + 0.01, "5 if it is linear, 25 if it is not"
    for sentence in FEATURES.sentences("a" + part * 5)[:2]:
        FEATURES.encode((sentence, "de"))


@given(st.text(max_size=400))
def test_every_sentence_of_any_text_can_be_encoded(text: str) -> None:
    for sentence in FEATURES.sentences(text):
        FEATURES.encode((sentence, "de"))


def test_long_texts_are_cut_at_words_and_lose_none() -> None:
    text = " ".join(["word"] * 10_000)
    assert " ".join(FEATURES.sentences(text)) == text
    with pytest.raises(UsageError, match="at most 100,000 characters"):
        FEATURES.sentences("a" * 100_001)


def test_a_sentence_is_its_target_its_pieces_and_the_end() -> None:
    made = FEATURES.encode(("der", "fr"))
    assert made["source"][0].tolist() == [FIRST_TARGET + 1, *FEATURES.pieces("der"), END] + (
        [PADDING] * 13
    )
    assert made["mask"].ravel().tolist() == [0.0] * 3 + [HIDDEN] * 13
    assert made["target"].tolist() == [1]
    assert {name: (one.shape, one.dtype.type) for name, one in made.items()} == FEATURES.shapes


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (("hi", "xx"), "cannot translate to 'xx', only to de, fr"),
        (("", "de"), "nothing to translate"),
        ((" \x00\u200b ", "de"), "nothing to translate"),
        (("long " * 20, "de"), "at most 14 pieces"),
        (("a" * 100_001, "de"), "at most 100,000 characters, got 100,001"),
        ("hi", "two texts"),
        (("hi", None), "two texts"),
        (3, "two texts"),
    ],
)
def test_what_cannot_be_translated_is_refused(example: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        FEATURES.encode(example)  # type: ignore[arg-type]


def test_a_language_asks_for_all_of_its_experts_and_a_name_for_one() -> None:
    features = PieceFeatures(Lexicon.of(PIECES), ["de/help", "fr", "de", "de/x/y"], 16)
    assert features.targets == ("de", "fr")
    assert features.size == FEATURES.size  # a domain has no piece of its own
    assert features.requests == ("de", "fr", "de/help", "de/x/y")
    no = -np.inf
    asked = {
        "de": [0, no, 0, 0],
        "de/help": [0, no, no, no],
        "fr": [no, 0, no, no],
        "de/x/y": [no, no, no, 0],
    }
    for name, row in asked.items():
        made = features.encode(("der", name))
        assert made["asked"].tolist() == [row]
        assert made["target"] == made["source"][0, 0] - FIRST_TARGET == (name == "fr")
    with pytest.raises(UsageError, match="cannot translate to 'de/packages', only to de, fr, de/h"):
        features.encode(("der", "de/packages"))
    again = restore("pieces", features.settings, features.arrays)
    assert np.array_equal(again.encode(("der", "de"))["asked"], [asked["de"]])


def test_a_router_has_no_say_in_who_is_asked_for() -> None:
    features = PieceFeatures(Lexicon.of(PIECES), ["de/a", "fr", "de/b"], 16)
    logits = np.array([1, 5, 2], np.float32)
    for name, chosen in [("de", 2), ("fr", 1), ("de/a", 0)]:
        arrays = features.encode(("der", name))
        assert named(arrays, logits).argmax() == chosen
        assert named(arrays).argmax() == (0 if name != "fr" else 1)
    # Whatever comes of a damaged one, another language does not.
    worst = named(features.encode(("der", "de/b")), np.array([np.inf, np.nan, 0], np.float32))
    assert worst.tolist() == [-np.inf, -np.inf, 0]


def test_features_come_back_from_settings_and_arrays() -> None:
    again = restore("pieces", FEATURES.settings, FEATURES.arrays)
    example = ("der Apfel 🙂", "de")
    for name, array in FEATURES.encode(example).items():
        assert np.array_equal(again.encode(example)[name], array)
    assert again.unpack(again.pack([example])) == [example]
