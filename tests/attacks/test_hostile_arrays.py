"""Hostile .npz files, features and golden examples, correctly pinned: refused, memory bounded."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import pickle
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.errors import BundleError, ManifestError, UsageError
from edge_experts.features import KINDS, Features, restore
from edge_experts.features.fields import ANY
from edge_experts.format.npz import npz, plain_arrays

from .bundles import EXAMPLES, replaced, rewritten, use
from .manifests import ODD


@contextlib.contextmanager
def bounded(most: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def _zip(*members: tuple[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, one in members:
            archive.writestr(name, one)
    return content.getvalue()


MAGIC = b"\x93NUMPY\1\0"


def _npy(header: str, content: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode("latin1").ljust(118) + b"\n"
    return MAGIC[:6] + bytes(version) + len(text).to_bytes(2, "little") + text + content


def _header(descr: str = "'<f4'", order: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


def test_plain_arrays_come_as_they_were() -> None:
    given = {
        "a": np.arange(6, dtype=np.float16).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "c": np.array(True),
        "d": np.zeros((0, 3), np.uint8),
    }
    found = plain_arrays(npz(**given))
    assert set(found) == set(given)
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def test_a_zip_bomb_is_not_inflated() -> None:
    zeros = bytes(2**20)
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as file,
    ):
        for _ in range(400):
            file.write(zeros)
    assert len(content.getvalue()) < 500_000
    with bounded(10_000_000), pytest.raises(ValueError, match="larger than"):
        plain_arrays(content.getvalue())


def test_a_zip_bomb_that_lies_of_its_size_is_not_inflated() -> None:
    raw = bytearray(_zip(("a.npy", bytes(50_000_000))))
    for signature, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        start = raw.index(signature) + at
        raw[start : start + 4] = (1000).to_bytes(4, "little")
    with bounded(10_000_000), pytest.raises(ValueError):  # noqa: PT011  whatever zipfile says
        plain_arrays(bytes(raw))


def test_a_directory_of_a_million_entries_is_not_read() -> None:
    raw = bytearray(_zip(("a.npy", b"")))
    start = raw.index(b"PK\1\2")
    entry, end = raw[start : raw.index(b"PK\5\6")], raw[raw.index(b"PK\5\6") :]
    end[12:16] = (len(entry) * 10**6).to_bytes(4, "little")
    huge = bytes(raw[:start] + entry * 10**6 + end)
    with bounded(20_000_000), pytest.raises(ValueError, match="directory"):
        plain_arrays(huge)


@pytest.mark.parametrize("shape", ["(2**40,)", "(1099511627776,)", "(0, 1099511627776)", "(-1,)"])
def test_a_shape_is_believed_only_with_its_bytes(shape: str) -> None:
    with bounded(10_000_000), contextlib.suppress(ValueError):
        found = plain_arrays(_zip(("a.npy", _npy(_header(shape=shape)))))["a"]
        assert found.nbytes == 0


@pytest.mark.parametrize(
    "raw",
    [
        pickle.dumps([1, 2]),
        _npy(_header("'|O'"), pickle.dumps(print)),
        _npy(_header("'<c8'"), bytes(16)),
        _npy(_header("'<U4'"), bytes(32)),
        _npy(_header("[('a', '<f4')]"), bytes(8)),
        _npy(_header("('<f4', (1000000000,))", shape="()")),
        _npy(_header("'<f4'", shape="[2]"), bytes(8)),
        _npy(_header("'<f4'", shape="(2.0,)"), bytes(8)),
        _npy(_header("'<f4'", shape="(True, 2)"), bytes(7)),
        _npy(_header("'<f4'", order="0"), bytes(8)),
        _npy(_header("'M8[s]'"), bytes(16)),
        _npy(_header("'nonsense'")),
        _npy(_header("None")),
        _npy("__import__('os').system('true')"),
        _npy("(" * 5000),
        _npy("{" * 90),
        _npy("-" * 9000 + "1"),
        _npy("9" * 9000),
        _npy("'" + "\0" * 50),
        _npy(_header(), bytes(7)),
        _npy(_header(), bytes(9)),
        _npy(_header(), bytes(8), (9, 9)),
        b"\x93NUMPY",
        b"",
    ],
)
def test_what_is_no_array_of_numbers_is_refused(tiny: Path, raw: bytes) -> None:
    content = _zip(("mean.npy", raw), ("deviation.npy", _npy(_header(shape="()"), b"\0\0\x80?")))
    replaced(tiny, features=content)
    with pytest.raises(BundleError, match=r"features\.npz"):
        use(tiny)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_arrays_or_refused(raw: bytes, zipped: bool) -> None:
    with contextlib.suppress(ValueError):
        plain_arrays(_zip(("a.npy", MAGIC + raw)) if zipped else raw)


@given(st.integers(0, 10**9), st.integers(1, 255))
def test_any_changed_byte_of_an_npz_is_arrays_or_refused(position: int, flip: int) -> None:
    raw = bytearray(npz(a=np.arange(10), b=np.ones((2, 2))))
    raw[position % len(raw)] ^= flip
    with contextlib.suppress(ValueError):
        plain_arrays(bytes(raw))


TOKENIZER: dict[str, Any] = {
    "added_tokens": [
        {
            "id": 0,
            "content": "<s>",
            "special": True,
            "normalized": False,
            **dict.fromkeys(("single_word", "lstrip", "rstrip"), False),
        }
    ],
    "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
    "model": {
        "type": "BPE",
        "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3},
        "merges": [["a", "b"]],
    },
}


def _arrays(kind: str) -> Iterator[dict[str, np.ndarray]]:
    """Right arrays, and odd ones in the place of each."""
    right: dict[str, dict[str, np.ndarray]] = {
        "text": {"bucket_weights": np.ones(2**3 + 2**3)},
        "array": {"mean": np.array(0.0), "deviation": np.array(1.0)},
        "table": {"mean": np.zeros(1), "deviation": np.ones(1)},
        "tokens": {},
        "photo": {
            "mean": np.zeros(3),
            "deviation": np.ones(3),
            "low": np.array(0, np.float32),
            "high": np.array(255, np.float32),
        },
        "sound": {"mean": np.zeros(3), "deviation": np.ones(3)},
        "pieces": {"pieces": np.frombuffer(b"a\nb\n\xe2\x96\x81", np.uint8)},
        "byte-pairs": {"pieces": np.frombuffer(b"a\nb\n ab", np.uint8)},
        "tokenizer": {
            "tokenizer": np.frombuffer(json.dumps(TOKENIZER).encode(), np.uint8),
            "template": np.frombuffer(b"{{ messages }}", np.uint8),
        },
    }
    names = right[kind]
    yield names
    yield {}
    for name in names:
        for odd in (
            *(np.array(np.nan), np.array(np.inf), np.array(0.0), np.array(-1.0), np.array(1e308)),
            *(np.zeros(0), np.zeros(1), np.ones(16) * np.nan, np.ones(16) * 1e9, np.ones((1, 1))),
            *(np.ones((1, 10_000)), np.ones((5, 2)), np.ones([1] * 8), np.array([True]), np.eye(4)),
            np.array([2**63], np.uint64),
            *(np.frombuffer(raw, np.uint8) for raw in (b"", b"\n\n", b"\xff", b"a\na")),
        ):
            yield {**names, name: odd}


_SETTINGS: dict[str, dict[str, Any]] = {
    "text": {
        "length": 4,
        "word_ngrams": 2,
        "char_ngrams": [3, 5],
        "word_bits": 3,
        "char_bits": 3,
        "max_characters": 64,
    },
    "array": {"shape": [2]},
    "tokens": {"shape": [2], "below": 7},
    "photo": {
        "shape": [4, 5, 3],
        "resizing": {"height": 4, "width": 5, "channels": 3, "policy": "fit"},
        "contract": {
            "rules": 1,
            "dtype": "uint8",
            "range": [0.0, 255.0],
            "kind": "image",
            "whole": True,
            "faintest": 7.0,
            "binary": False,
            "layout": "HWC",
            "colours": "not stated",
        },
    },
    "sound": {
        "shape": [4, 3],
        "log_mel": {
            "rate": 8000,
            "samples": 160,
            "frame": 64,
            "hop": 32,
            "bands": 3,
            "low": 60,
            "high": 4000,
        },
        "contract": {"rules": 1, "dtype": "int16", "range": [-32768, 32767]},
    },
    "pieces": {"targets": ["de", "fr"], "length": 8},
    "byte-pairs": {},
    "tokenizer": {"start": [0], "ends": [0], "names": {"bos_token": "<s>"}},
    "table": {"columns": [{"name": "a"}, {"name": "b", "values": ["x", "y"]}]},
}
_EXAMPLES: dict[str, list[Any]] = {
    "text": ["", "a film to remember", "\ud800", 5, None],
    "array": [[1, 2], [[1]], "x", None, [np.nan, 1e38]],
    "photo": [
        *(np.zeros(shape, np.uint8) for shape in [(4, 5, 3), (9, 7), (2, 2, 4), (0, 3), (1,) * 4]),
        *(np.zeros((4, 5, 3)), [[1, 2], [3, 256]], [[1, 2], [3, 4]], [[0.5]], "x", None, [[None]]),
    ],
    "sound": [
        *(np.zeros(count, np.int16) for count in (0, 1, 160, 1000)),
        *(np.zeros((1, 160)), np.zeros((4, 3)), [1, 40_000], [0.5], [], "x", None, [None], b"RIFF"),
    ],
    "tokens": [[1, 6], [7, 0], [-1, 0], [1.5, 0], ["a", "b"], None, [2**70, 0], [[1], [1, 2]]],
    "pieces": [("a b", "de"), ("", "de"), ("a", "x"), ("a" * 99, "fr"), "ab", ("\ud800", "de"), 5],
    "tokenizer": ["", "ab a\n\0<s>", "\ud800\u2581", 5, None, ["a"]],
    "byte-pairs": ["", "a film \n\0", "\ud800\u2581", 5, None, ["a"]],
    "table": [{"a": 1, "b": "x"}, {"a": "?", "b": 2}, {}, 5, [1]],
}


def _settings(kind: str) -> Iterator[dict[str, Any]]:
    """Right settings, every setting with every odd value, and settings that are not known."""
    right = _SETTINGS[kind]
    yield right
    yield {}
    yield {**right, "mood": "sunny"}
    for name, value in itertools.product(right, ODD):
        yield {**right, name: value}
        if isinstance(right[name], list):
            yield {**right, name: [value]}
            yield {**right, name: [value, value]}
            yield {**right, name: [*right[name][1:], value]}
    if kind == "table":
        for key, value in itertools.product(("name", "values"), ODD):
            yield {"columns": [{"name": "a"}, {"name": "b", key: value}]}
            yield {"columns": [{"name": "a"}, {"name": "b", "values": [value]}]}
    if kind == "array":
        for shape in ([2**32, 2**32], [2**63, 2], [65536] * 4, [2**33, 2**31 + 1], [1] * 9):
            yield {"shape": shape}


def _tried(kind: str, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> bool:
    """Whether the features were made; then they encode whatever comes, or refuse it."""
    try:
        made: Features = restore(kind, settings, arrays)
    except ManifestError:
        return False
    for example in _EXAMPLES[kind]:
        with contextlib.suppress(UsageError):
            for name, array in made.encode(example).items():
                shape, dtype = made.shapes[name]
                sizes = zip(array.shape, shape, strict=True)
                assert all(wanted in (size, ANY) for size, wanted in sizes)
                assert array.dtype == dtype
                # Who is not asked is as good as impossible: minus infinity.
                assert np.isfinite(array).all() or (name == "asked" and array.max() == 0)
    return True


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_odd_settings_are_refused_or_work(kind: str) -> None:
    right = next(_arrays(kind))
    with bounded(100_000_000):
        made = sum(_tried(kind, settings, right) for settings in _settings(kind))
    assert made


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_odd_arrays_are_refused_or_work(kind: str) -> None:
    with bounded(100_000_000):
        assert sum(_tried(kind, _SETTINGS[kind], arrays) for arrays in _arrays(kind))


def test_features_of_another_kind_are_refused(tiny: Path) -> None:
    for kind in ("text", "table", "smell"):
        change = {"kind": kind}
        rewritten(tiny, lambda content, change=change: content["features"].update(change))  # type: ignore[misc]
        with pytest.raises(ManifestError, match=kind):
            use(tiny)


def _golden(**changes: Any) -> bytes:
    arrays: dict[str, Any] = {
        "inputs": EXAMPLES,
        "scores": np.ones((4, 2)) / 2,
        "experts": np.zeros(4, int),
        "features_x": (EXAMPLES - 1) / 2,
        **changes,
    }
    return npz(**{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": None},
        {"scores": None},
        {"experts": None},
        {"features_x": None},
        {"features_y": np.zeros(4)},
        {"inputs": np.array(5)},
        {"inputs": np.zeros((0, 2))},
        {"inputs": np.zeros((3, 2))},
        {"inputs": np.zeros((4, 3))},
        {"scores": np.zeros((4, 3))},
        {"scores": np.zeros((3, 2))},
        {"scores": np.full((4, 2), np.nan)},
        {"scores": np.array(1.0)},
        {"experts": np.full(4, 9)},
        {"experts": np.zeros((4, 1))},
        {"features_x": np.zeros((4, 2, 1))},
        {"features_x": np.full((4, 2), np.nan)},
    ],
)
def test_odd_golden_examples_are_refused(tiny: Path, changes: dict[str, Any]) -> None:
    replaced(tiny, golden=_golden(**changes))
    with pytest.raises(BundleError, match="golden"):
        use(tiny)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1, 2, 3, 4]", "[null]", "{}", "5", "[" * 5000, "[" * 900 + "]" * 900, "1" * 5000],
)
@pytest.mark.parametrize("kind", ["text", "table"])
def test_odd_golden_texts_and_rows_are_refused(tiny: Path, kind: str, text: str) -> None:
    from edge_experts.format.manifest_parser import read_manifest
    from edge_experts.runtime import golden
    from edge_experts.runtime.engine import ExpertRuntime
    from edge_experts.runtime.tasks import open_task

    replaced(tiny, golden=npz(inputs=np.frombuffer(text.encode(), np.uint8)))
    made = restore(kind, _SETTINGS[kind], next(_arrays(kind)))
    with pytest.raises(BundleError, match="golden"):
        golden._read(tiny, read_manifest(tiny), made, open_task(read_manifest(tiny), made))
    with ExpertRuntime(tiny) as runtime:
        runtime.features = made
        with pytest.raises(BundleError, match="golden"):
            golden.check(runtime)


def test_golden_examples_that_features_refuse_are_refused(tiny: Path) -> None:
    from edge_experts.runtime import golden
    from edge_experts.runtime.engine import ExpertRuntime

    rows = json.dumps([{"a": 1}]).encode()
    content = npz(
        inputs=np.frombuffer(rows, np.uint8),
        scores=np.ones((1, 2)),
        experts=np.zeros(1),
        features_x=np.zeros((1, 3)),
    )
    replaced(tiny, golden=content)
    with ExpertRuntime(tiny) as runtime:
        runtime.features = restore("table", _SETTINGS["table"], next(_arrays("table")))
        with pytest.raises(BundleError, match="golden example 0: the row has no column b"):
            golden.check(runtime)
