"""Unicode tables in features: the same tokens on every Python, and damaged tables refused."""

from __future__ import annotations

import csv
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.features.random_texts import random_texts
from benchmarks.features.unicode_process import checksums
from edge_experts.errors import ManifestError
from edge_experts.features import PieceFeatures, TextFeatures, restore
from edge_experts.features.lexicon import Lexicon
from edge_experts.features.sentence_rules import PythonSentences, TableSentences
from edge_experts.features.text import TextSettings
from edge_experts.features.text_rules import PythonWords, TableWords
from edge_experts.features.unicode_database import VERSION, unicode_tables
from edge_experts.features.unicode_tables import UnicodeTables, characters, code_points
from edge_experts.format.limits import LIMITS
from edge_experts.format.npz import plain_arrays

DATA = Path(__file__).parents[2] / "data" / "text"
TABLES = unicode_tables("NFC")
WORDS, SENTENCES = TableWords.trained(), TableSentences.trained()
# Letters that compose, in every order of marks, and Hangul.
COMPOSING = st.text(
    alphabet="aeoAEO\u0301\u0300\u0323\u0308\u0345\u1100\u1161\u11a8\uac00\u0915\u093c\u0344\u212b",
    max_size=30,
)


def _of(rows: Iterable[dict[str, str]]) -> list[str]:
    return [row["text"] for row in rows]


def texts_of(name: str) -> list[str]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return _of(csv.DictReader(file))


@pytest.mark.parametrize("seed", [1, 2])
def test_tables_say_what_this_python_says(seed: int) -> None:
    for text in random_texts(2000, seed):
        codes = TABLES.normalized(code_points(text))
        assert characters(codes) == unicodedata.normalize("NFC", text), ascii(text)
        assert characters(TABLES.folded(codes)[0]) == characters(codes).casefold(), ascii(text)


@given(COMPOSING)
def test_texts_are_composed_as_unicode_says(text: str) -> None:
    assert characters(TABLES.normalized(code_points(text))) == unicodedata.normalize("NFC", text)


def test_compatibility_forms_too() -> None:
    tables = unicode_tables("NFKC")
    for text in ("\ufb01ne \u00b2", "\ufdfa", "\uff76\uff9e", "\u2460 \u3392", *random_texts(500)):
        found = characters(tables.normalized(code_points(text)))
        assert found == unicodedata.normalize("NFKC", text), ascii(text)


def test_tokens_are_the_same_on_every_python() -> None:
    """Tables of Unicode 14.0 and the tokens that Python 3.11 made with them."""
    tables = UnicodeTables.restore(plain_arrays((DATA / "unicode_14_0_tables.npz").read_bytes()))
    words, sentences = TableWords(tables, "14.0.0"), TableSentences(tables, "14.0.0")
    found = checksums(random_texts(3000, 1), words, sentences)
    assert zlib.crc32(found.tobytes()) == 0x69585270


@given(st.text(max_size=60))
def test_texts_that_look_the_same_are_the_same(text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    composed = unicodedata.normalize("NFC", text)
    assert np.array_equal(WORDS.words(decomposed, 4096), WORDS.words(composed, 4096))
    assert SENTENCES.normalized(decomposed) == SENTENCES.normalized(composed)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_tone_marks_in_either_form_give_the_same_features(form: str) -> None:
    composed = texts_of("composed_tone_marks.csv")
    decomposed = texts_of("decomposed_tone_marks.csv")
    assert composed != decomposed
    trained = composed if form == "NFC" else decomposed
    features = TextFeatures.fit(trained, np.arange(len(trained)) % 4)
    for one, other in zip(composed, decomposed, strict=True):
        for name, array in features.encode(one).items():
            assert np.array_equal(array, features.encode(other)[name])


def test_long_texts_are_cut_at_the_same_place_in_either_form() -> None:
    text = "\u1ed9\u1ea5 " * 3000
    decomposed = unicodedata.normalize("NFD", text)
    assert np.array_equal(WORDS.words(text, 4096), WORDS.words(decomposed, 4096))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs belong to their word
        ("ΟΔΟΣ οδος", ["οδοσ", "οδοσ"]),  # final sigma
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("İI \u0131", ["i\u0307i", "\u0131"]),
        ("❤\ufe0f ok", ["❤\ufe0f", "ok"]),
        ("\u0301a \u0301", ["\u0301", "a", "\u0301"]),
        ("a\u00a0b\u3000c\u200bd", ["a", "b", "c", "\u200b", "d"]),
    ],
)
def test_words_of_many_scripts(text: str, words: list[str]) -> None:
    assert characters(WORDS.words(text, 4096)).split(" ")[1:] == words


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=80))
def test_ascii_is_as_version_0_1_0_had_it(text: str) -> None:
    """The short way, without tables, and the tables agree."""
    assert np.array_equal(WORDS.words(text, 99), PythonWords().words(text, 99))
    assert SENTENCES.normalized(text) == PythonSentences().normalized(text)
    with_mark = WORDS.words(f"{text} \u00e9", 4096)
    assert characters(with_mark).removesuffix(" \u00e9") == characters(WORDS.words(text, 4096))
    assert SENTENCES.normalized(f"{text} \u00e9").split(" ")[:-1] == [
        each for each in SENTENCES.normalized(text).split(" ") if each
    ]


def test_features_without_a_contract_answer_as_before() -> None:
    settings = TextSettings(length=64)
    old = restore("text", {"length": 64}, {"bucket_weights": np.ones(settings.buckets)})
    assert isinstance(old, TextFeatures)
    decomposed = old.encode("Ma\u0301 ΟΔΟΣ")
    assert not np.array_equal(decomposed["ids"], old.encode("M\u00e1 ΟΔΟΣ")["ids"])
    assert "contract" not in old.settings
    assert set(old.arrays) == {"bucket_weights"}
    pieces = PieceFeatures(Lexicon.of(["a"]), ["de"], 16)
    assert "contract" not in pieces.settings
    assert set(pieces.arrays) == {"pieces"}


def _features() -> dict[str, Any]:
    texts = TextFeatures.fit(["a", "b"], np.array([0, 1]), TextSettings(length=8))
    pieces = PieceFeatures(Lexicon.of(["a", "b"]), ["de"], 16, TableSentences.trained())
    return {"text": texts, "pieces": pieces}


FEATURES = _features()


@pytest.mark.parametrize("kind", FEATURES)
def test_the_contract_travels(kind: str) -> None:
    made = FEATURES[kind]
    contract = made.settings["contract"]
    assert contract["rules"] == 1
    assert (contract["normalization"], contract["unicode"]) == ("NFC", VERSION)
    again = restore(kind, made.settings, made.arrays)
    assert again.settings == made.settings
    for name, array in made.arrays.items():
        assert np.array_equal(array, again.arrays[name])
    assert again.inputs[0]["normalization"] == "NFC"
    assert again.inputs[0]["unicode"] == VERSION


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize(
    "change",
    [
        {"rules": 2},
        {"normalization": "NFD"},
        {"unicode": "15"},
        {"unicode": 14},
        {"unicode": "x" * 100},
        {"more": 1},
    ],
)
def test_an_unknown_contract_is_refused(kind: str, change: dict[str, Any]) -> None:
    made = FEATURES[kind]
    contract = made.settings["contract"] | change
    if change == {"unicode": "15"}:  # any version is taken, with its tables
        restore(kind, made.settings | {"contract": contract}, made.arrays)
        return
    with pytest.raises(ManifestError, match="contract"):
        restore(kind, made.settings | {"contract": contract}, made.arrays)
    others: list[Any] = [None, 1, [], "NFC"]
    for other in others:
        with pytest.raises(ManifestError, match="contract"):
            restore(kind, made.settings | {"contract": other}, made.arrays)


NAMES = [name for name in TABLES.arrays if name.startswith("unicode_")]


def _damaged(good: Any, way: int) -> Any:
    random = np.random.default_rng(way)
    ways: dict[int, Any] = {
        0: good.astype(np.float32),
        1: good[..., :-1],
        2: good.reshape(-1),
        3: np.zeros((0,), np.int32),
        4: np.full_like(good, 2**31 - 1),
        5: np.full_like(good, -5),
        6: np.zeros((2, 30_000), np.int32),
        7: np.repeat(good, 12, axis=-1),
        8: np.where(random.random(good.shape) < 0.01, random.integers(0, 2**20, good.shape), good),
    }
    return ways[way] if way == 0 else ways[way].astype(np.int32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", range(9))
def test_damaged_tables_are_refused_or_harmless(name: str, way: int) -> None:
    arrays = dict(FEATURES["text"].arrays)
    arrays[name] = _damaged(arrays[name], way)
    try:
        features = restore("text", FEATURES["text"].settings, arrays)
    except ManifestError:
        return
    for text in random_texts(200):
        assert features.encode(text)["ids"].shape == (1, 8)


def test_tables_of_too_many_rows_are_refused() -> None:
    arrays = dict(FEATURES["text"].arrays)
    arrays["unicode_ranges"] = np.ones((2, LIMITS.unicode_rows + 1), np.int32)
    with pytest.raises(ManifestError, match="at most 20000 rows"):
        restore("text", FEATURES["text"].settings, arrays)


@pytest.mark.parametrize("name", NAMES)
def test_missing_tables_are_refused(name: str) -> None:
    arrays = {key: array for key, array in FEATURES["text"].arrays.items() if key != name}
    with pytest.raises(ManifestError, match=name):
        restore("text", FEATURES["text"].settings, arrays)
