"""Every limit: what is at it is taken, and what is one beyond it is refused."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import file_walk
from edge_experts.errors import (
    BundleError,
    DataError,
    DigestError,
    ManifestError,
    ModelError,
    UsageError,
)
from edge_experts.features import PhotoFeatures, photo_files, restore
from edge_experts.features.log_mel import LogMel
from edge_experts.features.resizing import Resizing, coloured
from edge_experts.format import checked_files, zips
from edge_experts.format import npz as arrays
from edge_experts.format.archive import pack, unpack
from edge_experts.format.limits import LIMITS, Limits
from edge_experts.format.manifest_parser import parse_manifest
from edge_experts.format.npz import npz
from edge_experts.runtime import fit, golden
from edge_experts.runtime.interpreter import Model
from tests.photos import encoded

from .bundles import EXAMPLES, TINY, replaced, use
from .manifests import changed, contracted, manifest, nested, signed, writing

_CONTENT: dict[str, Any] = json.loads(manifest().to_json())


def _with(*at: str | int, value: Any) -> None:
    content = changed(_CONTENT, at, value)
    content.pop("digest", None)
    parse_manifest(signed(content))


def _parsed(text: str) -> None:
    parse_manifest(text.encode())


def _manifest_bytes(count: int) -> None:
    text = manifest().to_json()
    _parsed(text + " " * (count - len(text)))


def _values(count: int) -> None:
    text = json.dumps(_CONTENT)
    there = sum(map(text.count, ",[{"))
    # The list opens, two of its items stand beside a comma, and it is an item itself.
    _with("provenance", "more", value=[0] * (count - there - 1))


def _generation(**changes: int) -> None:
    content = json.loads(writing().to_json())
    content["generation"] |= changes
    parse_manifest(signed(content))


def _experts(count: int) -> None:
    entry = _CONTENT["experts"][0]
    experts = [{**entry, "path": f"{index}.tflite"} for index in range(count)]
    content = changed(_CONTENT, ("experts",), experts)
    content["reference"] = None
    content.pop("digest")
    parse_manifest(signed(content))


def _trainings(count: int) -> None:
    content = json.loads(contracted().to_json())
    (entry,) = content["trained_rows"]
    content["trained_rows"] = [{**entry, "path": f"{index}.bin"} for index in range(count)]
    parse_manifest(signed(content))


def _dense(count: int) -> None:
    content = json.loads(contracted().to_json())
    content["task_spec"] = {"type": "of another package", "config": {}}
    entry = content["golden"]
    content["dense"] = [{**entry, "path": f"dense/{index}.bin"} for index in range(count)]
    parse_manifest(signed(content))


def _shape(*shape: int) -> None:
    one = np.array(1.0)
    restore("array", {"shape": shape}, {"mean": one, "deviation": one})


def _columns(columns: list[dict[str, Any]]) -> None:
    numbers = np.ones(sum("values" not in column for column in columns))
    restore("table", {"columns": columns}, {"mean": numbers, "deviation": numbers})


def _bins(count: int) -> None:
    histogram = {"edges": list(range(count - 1)), "counts": [1] * count}
    _with("reference", "score", value=histogram)


def _photo_side(side: int) -> None:
    photo = np.zeros((1, LIMITS.photo_side, 1, 1), np.uint8)
    features = PhotoFeatures.of_photos(photo, Resizing(LIMITS.photo_side, 1, 1))
    settings = features.settings
    settings["resizing"]["height"] = settings["shape"][0] = side
    restore("photo", settings, features.arrays)


def _sound(**changed: int) -> None:
    log_mel = LogMel.of(16_000, 16_000).to_json() | {"hop": 16_000} | changed
    frames = 1 + (log_mel["samples"] - log_mel["frame"]) // log_mel["hop"]
    contract = {"rules": 1, "dtype": "int16", "range": [-(2**15), 2**15 - 1]}
    settings = {"shape": [frames, log_mel["bands"]], "log_mel": log_mel, "contract": contract}
    restore("sound", settings, {"mean": np.array(0.0), "deviation": np.array(1.0)})


MANIFESTS: dict[str, Callable[[int], None]] = {
    "manifest_bytes": _manifest_bytes,
    "values": _values,
    # The manifest is an object, and so is what the list stands in.
    "nesting": lambda count: _with("provenance", "deep", value=nested(count - 2)),
    "digits": lambda count: _with("provenance", "seed", value=10 ** (count - 1)),
    "file_bytes": lambda count: _with("router", "bytes", value=count),
    "experts": _experts,
    "trainings": _trainings,
    "dense_parts": _dense,
    "labels": lambda count: _with("labels", value=list(map(str, range(count)))),
    "label_characters": lambda count: _with("labels", 0, value="a" * count),
    "name_characters": lambda count: _with("name", value="a" * count),
    "path_characters": lambda count: _with("router", "path", value="a" * count),
    "example_numbers": lambda count: _shape(count),
    "tensor_rank": lambda count: _shape(*[1] * (count - 1)),
    "columns": lambda count: _columns([{"name": str(index)} for index in range(count)]),
    "column_values": lambda count: _columns(
        [{"name": "a", "values": list(map(str, range(count)))}]
    ),
    "value_characters": lambda count: _columns([{"name": "a" * count}]),
    "photo_side": _photo_side,
    "sound_rate": lambda rate: _sound(rate=rate),
    "sound_window": lambda count: _sound(samples=count),
    "bins": _bins,
    "written_pieces": lambda count: _generation(length=count),
    "beams": lambda count: _generation(beams=count),
    "largest_temperature": lambda most: _with("temperature", value=most),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_at_the_limit_is_taken_and_one_beyond_it_refused(name: str) -> None:
    limit = getattr(LIMITS, name)
    MANIFESTS[name](limit)
    with pytest.raises(ManifestError):
        MANIFESTS[name](limit + 1)


def test_the_least_temperature() -> None:
    _with("temperature", value=LIMITS.least_temperature)
    with pytest.raises(ManifestError):
        _with("temperature", value=LIMITS.least_temperature * 0.999)


def _zip(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, one in members.items():
            archive.writestr(name, one)
    return content.getvalue()


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def test_the_number_of_arrays() -> None:
    numbers = {str(index): np.zeros(1) for index in range(LIMITS.arrays + 1)}
    with pytest.raises(ValueError, match="more than 64 entries"):
        arrays.plain_arrays(npz(**numbers))
    numbers.pop("0")
    assert len(arrays.plain_arrays(npz(**numbers))) == LIMITS.arrays


def test_the_dimensions_of_an_array() -> None:
    at = np.zeros([1] * LIMITS.tensor_rank)
    assert arrays.plain_arrays(npz(a=at))["a"].shape == at.shape
    with pytest.raises(ValueError, match="more than 8 dimensions"):
        arrays.plain_arrays(npz(a=at[None]))


def test_the_bytes_of_all_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _npy(np.zeros(100)), _npy(np.zeros(50))
    content = _zip(first=first, second=second)
    monkeypatch.setattr(arrays, "LIMITS", replace(LIMITS, array_bytes=len(first) + len(second)))
    assert set(arrays.plain_arrays(content)) == {"first", "second"}
    monkeypatch.setattr(arrays, "LIMITS", replace(LIMITS, array_bytes=len(first + second) - 1))
    with pytest.raises(ValueError, match="larger than"):
        arrays.plain_arrays(content)


def test_the_bytes_of_a_file_of_arrays(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (tiny / "golden.npz").stat().st_size
    monkeypatch.setattr(checked_files, "LIMITS", replace(LIMITS, array_file_bytes=size))
    use(tiny)
    monkeypatch.setattr(checked_files, "LIMITS", replace(LIMITS, array_file_bytes=size - 1))
    with pytest.raises(BundleError, match=r"golden\.npz: larger than"):
        use(tiny)


def test_the_number_of_golden_examples(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "LIMITS", replace(LIMITS, golden_examples=len(EXAMPLES)))
    use(tiny)
    monkeypatch.setattr(golden, "LIMITS", replace(LIMITS, golden_examples=len(EXAMPLES) - 1))
    with pytest.raises(BundleError, match="must hold 1 to 3 examples"):
        use(tiny)


def test_the_dimensions_of_a_models_input(monkeypatch: pytest.MonkeyPatch) -> None:
    model, shapes = Model(TINY, "tiny"), {"x": ((1, 2), np.float32)}
    monkeypatch.setattr(fit, "LIMITS", replace(LIMITS, tensor_rank=2))
    fit.must_fit(model, shapes, 2, "labels")
    monkeypatch.setattr(fit, "LIMITS", replace(LIMITS, tensor_rank=1))
    with pytest.raises(ModelError, match="more than 1 axes"):
        fit.must_fit(model, shapes, 2, "labels")


def test_the_entries_and_the_directory_of_an_archive(
    tiny: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "tiny.zip"
    pack(tiny, archive)
    with zipfile.ZipFile(archive) as opened:
        entries = len(opened.filelist)
        directory = archive.stat().st_size - opened.start_dir
    for name, limit in (("archive_entries", entries), ("zip_directory_bytes", directory)):
        for module in ("edge_experts.format.archive.LIMITS", "edge_experts.format.zips.LIMITS"):
            monkeypatch.setattr(module, replace(LIMITS, **{name: limit}))
        unpack(archive, tmp_path / "out", force=True)
        for module in ("edge_experts.format.archive.LIMITS", "edge_experts.format.zips.LIMITS"):
            monkeypatch.setattr(module, replace(LIMITS, **{name: limit - 24}))
        with pytest.raises(BundleError, match=r"more than|larger than"):
            unpack(archive, tmp_path / "out", force=True)
        monkeypatch.undo()


def test_what_a_member_takes_when_packed() -> None:
    content = io.BytesIO(_zip(a=b"x" * 5000))
    archive = zips.open_zip(content, 1)
    member = archive.filelist[0]
    assert zips.read_member(archive, member, 5000) == b"x" * 5000
    with pytest.raises(ValueError, match="larger than 4999"):
        zips.read_member(archive, member, 4999)
    member.file_size = 4999  # a lie
    with contextlib.suppress(zipfile.BadZipFile):  # its checksum
        assert len(zips.read_member(archive, member, 4999)) <= 4999
    member.file_size = 6000  # another
    with pytest.raises(ValueError, match="another size than it claims"):
        zips.read_member(archive, member, 6000)
    member.file_size, member.compress_size = 10, 2**31
    with pytest.raises(ValueError, match="larger than"):
        zips.read_member(archive, member, 5000)


def test_files_of_other_lengths_are_refused_at_one_byte(tiny: Any) -> None:
    router = tiny / "router.tflite"
    for content in (TINY + b"\0", TINY[:-1]):
        router.write_bytes(content)
        with pytest.raises(DigestError, match=f"must have {len(TINY)} bytes"):
            use(tiny)
    for path in ("router.tflite", "experts/000.tflite"):
        (tiny / path).write_bytes(TINY[:-1] + b"\xff")
        with pytest.raises(DigestError, match="its checksum differs"):
            use(tiny)
        (tiny / path).write_bytes(TINY)
    replaced(tiny, router=TINY)
    use(tiny)


def test_the_pixels_and_sides_of_a_photo() -> None:
    one = np.zeros((1, 1), np.uint8)
    for shape, beyond in (
        ((2**13, 2**13), (2**13, 2**13 + 1)),
        ((LIMITS.photo_length, 1), (LIMITS.photo_length + 1, 1)),
        ((1, LIMITS.photo_length), (1, LIMITS.photo_length + 1)),
    ):
        assert shape[0] * shape[1] <= LIMITS.photo_pixels
        assert coloured(np.broadcast_to(one, shape), 1).shape[:2] == shape
        with pytest.raises(UsageError, match=r"x: "):
            coloured(np.broadcast_to(one, beyond), 1)


def test_the_bytes_of_an_image_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(np.zeros((4, 4), np.uint8))
    path = tmp_path / "a.png"
    path.write_bytes(content)
    monkeypatch.setattr(photo_files, "LIMITS", replace(LIMITS, photo_bytes=len(content)))
    photo_files.read_photo(path)
    monkeypatch.setattr(photo_files, "LIMITS", replace(LIMITS, photo_bytes=len(content) - 1))
    with pytest.raises(UsageError, match=r"a\.png: an image file must have at most"):
        photo_files.read_photo(path)


def test_the_files_of_a_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(file_walk, "LIMITS", replace(LIMITS, photos=3))
    assert len(list(file_walk.files_below(tmp_path))) == 3
    monkeypatch.setattr(file_walk, "LIMITS", replace(LIMITS, photos=2))
    with pytest.raises(DataError, match="more than 2 files"):
        list(file_walk.files_below(tmp_path))


def test_every_limit_has_a_test() -> None:
    elsewhere = {
        "arrays",
        "array_bytes",
        "array_file_bytes",
        "golden_examples",
        "archive_entries",
        "zip_directory_bytes",
        "least_temperature",
        "signature_bytes",  # tests of signing
        "line_characters",  # tests of translated lines
        "threads",  # test_runtime.py
        "unicode_rows",  # tests of Unicode tables
        *("photos", "photo_bytes", "photo_pixels", "photo_length"),
        *("sound_samples", "sound_channels"),  # device/features/test_wav_files.py
        # tests of language models
        *("written_tokens", "stop_strings", "network_size", "cache_bytes"),
        # test_hostile_tokenizers.py
        *("tokenizer_bytes", "tokenizer_values", "tokenizer_steps", "tokenizer_growth"),
        *("pattern_characters", "token_characters", "added_tokens", "end_tokens"),
        # test_hostile_checkpoints.py
        *("config_bytes", "tensor_header_bytes", "checkpoint_tensors", "checkpoint_files"),
        *("gguf_values", "gguf_text_bytes"),  # host/converters/checkpoints/test_gguf.py
        *("pattern_repeats", "template_bytes"),
        *("chat_messages", "template_seconds", "template_memory"),  # test_hostile_templates.py
    }
    assert {field.name for field in fields(Limits)} == {*MANIFESTS} | elsewhere
