"""Text to arrays: any text, always the same arrays, on every machine."""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.features import TextFeatures, encode_all, restore
from edge_experts.features.text import TextSettings
from edge_experts.features.text_rules import TableWords

TEXTS = ["A film to remember!", "the film was dull", "wunderbar", "dull and long :-("]
_MARKS = re.escape(
    "".join(chr(one) for one in range(0x110000) if unicodedata.category(chr(one))[0] == "M")
)
_WORDS = re.compile(rf"\w[\w{_MARKS}]*|[^\w\s]+")
FEATURES = TextFeatures.fit(TEXTS, np.array([1, 0, 1, 0]), TextSettings(length=64))


def _slow_ngrams(text: str) -> list[tuple[str, str]]:
    """What the n-grams are, said in plain Python: their kind and their characters."""
    words = _WORDS.findall(unicodedata.normalize("NFC", text).casefold())
    grams = [("word", f" {word}") for word in words]
    grams += [("word", f" {one} {two}") for one, two in itertools.pairwise(words)]
    for n in (3, 4, 5):
        for word in words:
            padded = f" {word} "
            grams += [("char", padded[i : i + n]) for i in range(len(padded) - n + 1)]
    return grams


@given(st.text(max_size=200))
def test_the_same_ngram_has_the_same_bucket_wherever_it_stands(text: str) -> None:
    grams, ids = _slow_ngrams(text), FEATURES.ngrams(text).tolist()
    assert len(grams) == len(ids)
    buckets: dict[tuple[str, str], int] = {}
    for gram, bucket in zip(grams, ids, strict=True):
        assert (bucket >= 2**15) == (gram[0] == "char")
        assert buckets.setdefault(gram, bucket) == bucket


def test_different_ngrams_have_different_buckets() -> None:
    text = "Somehow I was blessed with some really amazing friends in my life"
    assert len(set(FEATURES.ngrams(text).tolist())) >= len(set(_slow_ngrams(text))) - 2


@given(st.text())
def test_any_text_gives_arrays_of_the_promised_shape(text: str) -> None:
    arrays = FEATURES.encode(text)
    ids, weights = arrays["ids"], arrays["weights"]
    assert ids.shape == weights.shape == (1, 64)
    assert (ids.dtype, weights.dtype) == (np.int32, np.float32)
    assert ids.min() >= 0
    assert ids.max() < 2**16
    norm = float(np.linalg.norm(weights))
    assert norm == pytest.approx(1, abs=1e-5) or norm == 0


@pytest.mark.parametrize(
    "text",
    ["", " \n\t ", "😀", "👩‍👩‍👧", "\ud800", "a" * 1_000_000, "日本語のテキスト", "\0", "İ" * 5000],
)
def test_odd_texts_are_answered(text: str) -> None:
    assert FEATURES.encode(text)["ids"].shape == (1, 64)


def test_what_lies_beyond_the_limit_is_not_read() -> None:
    settings = TextSettings(length=64, max_characters=20)
    features = TextFeatures(settings, np.ones(settings.buckets, np.float32))
    short, long = features.encode("x" * 20), features.encode("x" * 20 + " and more")
    assert all(np.array_equal(short[name], long[name]) for name in short)


def test_case_and_spacing_do_not_matter_and_words_do() -> None:
    def ids(text: str) -> set[int]:
        return set(FEATURES.ngrams(text).tolist())

    assert ids("A  Film\n") == ids("a film")
    assert ids("a film") != ids("a fill")
    assert ids("film a") != ids("a film")


def test_only_the_weightiest_ngrams_are_kept_each_once() -> None:
    settings = TextSettings(length=3, char_ngrams=(5, 5))
    weights = np.zeros(settings.buckets, np.float32)
    features = TextFeatures(settings, weights)
    found = np.unique(features.ngrams("one two three one two three"))
    weights[found] = np.arange(1, len(found) + 1)
    kept = TextFeatures(settings, weights).encode("one two three one two three")["ids"][0]
    assert sorted(kept) == sorted(found[-3:])


def test_unknown_ngrams_weigh_nothing() -> None:
    assert FEATURES.encode("zzzyyyxxx qqq")["weights"].sum() == 0


def test_a_telling_word_weighs_more_than_one_that_both_labels_use() -> None:
    texts = ["good film"] * 20 + ["bad film"] * 20
    features = TextFeatures.fit(texts, np.array([1] * 20 + [0] * 20))
    weights = features.arrays["bucket_weights"]
    good, film = (features.ngrams(word)[0] % len(weights) for word in ("good", "film"))
    assert weights[good] > weights[film]


@given(st.text(max_size=200))
def test_fine_ids_are_the_same_buckets_told_apart(text: str) -> None:
    """So that a small table answers as ever, and a larger one can do better."""
    settings = TextSettings(length=64, fine_bits=14)
    fine = TextFeatures(settings, np.ones(settings.buckets), TableWords.trained()).ngrams(text)
    assert np.array_equal(fine % settings.buckets, FEATURES.ngrams(text))
    assert fine.max(initial=0) < 2**30
    names: dict[int, tuple[str, str]] = {}
    for gram, number in zip(_slow_ngrams(text), fine.tolist(), strict=True):
        assert names.setdefault(number, gram) == gram


def test_features_of_before_there_were_fine_ids_stay_as_they_were() -> None:
    new = TextFeatures.fit(TEXTS, np.array([1, 0, 1, 0]), TextSettings(fine_bits=14))
    assert new.encode(TEXTS[0])["ids"].max() >= 2**16
    settings = {name: value for name, value in new.settings.items() if name != "fine_bits"}
    old = restore("text", settings, new.arrays)
    ids = old.encode(TEXTS[0])["ids"]
    assert ids.max() < 2**16
    assert set(ids[0]) == set(new.encode(TEXTS[0])["ids"][0] % 2**16)


def test_restored_features_are_the_same() -> None:
    again = restore("text", FEATURES.settings, FEATURES.arrays)
    for text in TEXTS:
        for name, array in FEATURES.encode(text).items():
            assert np.array_equal(array, again.encode(text)[name])


@given(st.lists(st.text(), max_size=4))
def test_packed_texts_come_back(texts: list[str]) -> None:
    assert FEATURES.unpack(FEATURES.pack(texts)) == texts


def test_encode_all_stacks() -> None:
    arrays = encode_all(FEATURES, TEXTS)
    assert arrays["ids"].shape == (4, 64)


@pytest.mark.parametrize(
    "settings",
    [
        {"length": 0},
        {"length": 10**9},
        {"word_bits": 40},
        {"fine_bits": 16},
        {"fine_bits": -1},
        {"char_ngrams": (1, 3)},
        {"char_ngrams": (5, 3)},
        {"max_characters": "many"},
    ],
)
def test_settings_that_no_device_should_be_asked_for_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        TextSettings(**settings)


def test_features_are_the_same_on_every_machine() -> None:
    """Pinned values: a change here makes every published bundle wrong."""
    assert FEATURES.ngrams("A film :)").tolist()[:6] == [22113, 18405, 22861, 18397, 12551, 54224]
    settings = TextSettings(fine_bits=14)
    fine = TextFeatures(settings, np.ones(settings.buckets)).ngrams("A film :)")
    assert fine.tolist()[:3] == [493377121, 77678565, 452745549]
