"""Arrays as others keep them: converted where that is certain, refused by name where not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.errors import EdgeExpertsError, ManifestError, UsageError
from edge_experts.features import ArrayFeatures, restore
from edge_experts.serving.tensors import examples_of

RANDOM = np.random.default_rng(3)
BYTES = RANDOM.integers(0, 256, (40, 8, 9, 3)).astype(np.uint8)
GREY = RANDOM.integers(0, 256, (40, 8, 9)).astype(np.uint8)
DIGITS = RANDOM.integers(0, 17, (40, 8, 8)).astype(np.float64)
DEEP = RANDOM.integers(0, 65536, (40, 8, 9)).astype(np.uint16)
SIGNED = RANDOM.uniform(-1, 1, (40, 8, 9, 3)).astype(np.float32)
WINDOWS = RANDOM.normal([0, 9.8, 300], [1, 0.5, 5], (60, 16, 3))
TABLE = RANDOM.normal([0, 1000], [1, 200], (60, 2))
SOUND = RANDOM.integers(-30000, 30000, (40, 50, 1)).astype(np.int16)


def fitted(examples: np.ndarray) -> ArrayFeatures:
    return ArrayFeatures.fit(examples, channels=not (examples.ndim == 3 and examples.shape[2] > 7))


COLOUR_FEATURES, GREY_FEATURES, UNIT = fitted(BYTES), fitted(GREY), fitted(BYTES / 255)
ALL: dict[str, tuple[ArrayFeatures, np.ndarray]] = {
    "colour": (COLOUR_FEATURES, BYTES),
    "grey": (GREY_FEATURES, GREY),
    "unit": (UNIT, BYTES / 255),
    "digits": (fitted(DIGITS), DIGITS),
    "deep": (fitted(DEEP), DEEP),
    "signed": (fitted(SIGNED), SIGNED),
    "windows": (fitted(WINDOWS), WINDOWS),
    "table": (fitted(TABLE), TABLE),
    "sound": (fitted(SOUND), SOUND),
    "mask": (fitted(GREY > 99), GREY > 99),
    "dim": (fitted(np.concatenate([GREY, GREY % 2])), GREY % 2),
}


def _masked(array: np.ndarray, hidden: np.ndarray) -> Any:
    return np.ma.masked_array(array, hidden)  # type: ignore[no-untyped-call]


def x_of(features: ArrayFeatures, example: Any) -> np.ndarray:
    return features.encode(example)["x"]


@pytest.mark.parametrize("name", ALL)
def test_examples_of_training_are_never_refused_nor_changed(name: str) -> None:
    features, examples = ALL[name]
    arrays = features.arrays
    for example in examples:
        expected = (example.astype(np.float32) - arrays["mean"]) / arrays["deviation"]
        for given_as in (example, example.tolist(), json.loads(json.dumps(example.tolist()))):
            warnings: list[str] = []
            assert np.array_equal(features.encode(given_as, warnings)["x"][0], expected)
            assert not warnings


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fractions_for_bytes_are_scaled(dtype: type) -> None:
    for image in BYTES[:5]:
        expected = x_of(COLOUR_FEATURES, image)
        scaled = image.astype(dtype) / dtype(255)
        assert np.array_equal(x_of(COLOUR_FEATURES, scaled), expected)
        assert np.array_equal(x_of(COLOUR_FEATURES, scaled.tolist()), expected)
    half = (BYTES[0] / 255).astype(np.float16)
    assert np.allclose(x_of(COLOUR_FEATURES, half), x_of(COLOUR_FEATURES, BYTES[0]), atol=2e-3)


def test_bytes_for_fractions_are_scaled() -> None:
    expected = x_of(UNIT, BYTES[0] / 255)
    for given_as in (BYTES[0], BYTES[0].astype(np.int64), BYTES[0].astype(np.float32)):
        assert np.allclose(x_of(UNIT, given_as), expected, atol=1e-6)
        assert np.allclose(x_of(UNIT, given_as.tolist()), expected, atol=1e-6)


def test_fractions_for_sixteen_bits_are_scaled() -> None:
    features = ALL["deep"][0]
    assert np.allclose(x_of(features, DEEP[0] / 65535), x_of(features, DEEP[0]), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("colour", BYTES[0] / 127.5 - 1),
        ("colour", (BYTES[0] / 255 - 0.45) / 0.225),
        ("colour", BYTES[0].astype(np.uint16) * 257),
        ("colour", BYTES[0].astype(np.int64) - 128),
        ("colour", (BYTES[0] > 99).astype(np.float32)),
        ("unit", BYTES[0] / 127.5 - 1),
        ("unit", BYTES[0].astype(np.uint16) * 257),
        ("unit", BYTES[0] % 2),
        ("unit", BYTES[0] % 100),
        ("digits", DIGITS[0] / 16),
        ("digits", DIGITS[0] / 16 * 255),
        ("deep", GREY[0] / 255 * 2 - 1),
        ("signed", BYTES[0]),
        ("windows", WINDOWS[0] * 1000),
        ("windows", WINDOWS[0] * [1000, 1, 1]),
        ("table", TABLE[0] * 1e6),
        ("sound", SOUND[0].astype(np.float32) / 32768),
        ("sound", np.full((50, 1), 1e9)),
    ],
)
def test_other_scales_are_refused_by_name(name: str, example: np.ndarray) -> None:
    features, _ = ALL[name]
    for given_as in (example, example.tolist()):
        with pytest.raises(UsageError, match=r"^x: .*train"):
            features.encode(given_as)


@pytest.mark.parametrize("name", ["colour", "unit", "grey", "deep", "signed"])
def test_black_is_black_on_every_scale(name: str) -> None:
    features, examples = ALL[name]
    black = np.zeros(examples.shape[1:])
    assert np.array_equal(x_of(features, black), x_of(features, black.astype(int)))


def test_resized_bytes_have_fractions_and_overshoot() -> None:
    image = BYTES[0] + np.float32(0.25)
    image[0, 0] = [-7.5, 262.1, 3]
    expected = (image - COLOUR_FEATURES.arrays["mean"]) / COLOUR_FEATURES.arrays["deviation"]
    assert np.array_equal(x_of(COLOUR_FEATURES, image)[0], expected)


def test_a_dark_image_of_bytes_is_dark() -> None:
    dark = BYTES[0] % 2
    arrays = COLOUR_FEATURES.arrays
    expected = (dark.astype(np.float32) - arrays["mean"]) / arrays["deviation"]
    assert np.array_equal(x_of(COLOUR_FEATURES, dark)[0], expected)
    assert np.array_equal(x_of(COLOUR_FEATURES, dark.tolist())[0], expected)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image[None],
        lambda image: image.transpose(2, 0, 1),
        lambda image: image.transpose(2, 0, 1)[None],
        lambda image: np.asfortranarray(image),
        lambda image: image[::-1][::-1],
        lambda image: image.astype(">i4"),
        lambda image: _masked(image, np.zeros(image.shape, bool)),
    ],
)
def test_shapes_that_are_certain_are_converted(change: Any) -> None:
    expected = x_of(COLOUR_FEATURES, BYTES[0])
    assert np.array_equal(x_of(COLOUR_FEATURES, change(BYTES[0])), expected)


def test_grey_images_with_and_without_a_channel() -> None:
    expected = x_of(GREY_FEATURES, GREY[0])
    for given_as in (GREY[0][..., None], GREY[0][None], np.repeat(GREY[0][..., None], 3, -1)):
        assert np.array_equal(x_of(GREY_FEATURES, given_as), expected)
    with_channel = fitted(GREY[..., None])
    assert np.array_equal(x_of(with_channel, GREY[0])[..., 0], expected)


@pytest.mark.parametrize(
    ("features", "example", "message"),
    [
        (COLOUR_FEATURES, BYTES[:5], "these are 5 examples; give one at a time"),
        (COLOUR_FEATURES, BYTES[0].transpose(1, 0, 2), "transpose it"),
        (COLOUR_FEATURES, BYTES[0].ravel(), "reshape it"),
        (COLOUR_FEATURES, GREY[0], "another number of colours"),
        (GREY_FEATURES, BYTES[0], "another number of colours"),
        (GREY_FEATURES, GREY[0].T, "transpose it"),
        (GREY_FEATURES, GREY[0][:4], "resize it"),
        (ALL["windows"][0], WINDOWS[0].T, "transpose it"),
        (GREY_FEATURES, GREY[0] > 3, "true or false"),
        (GREY_FEATURES, [[True, 2.5] * 4 + [0]] * 8, "true or false"),
        (GREY_FEATURES, GREY[0].astype(str), "texts"),
        (GREY_FEATURES, GREY[0] * 1j, "complex"),
        (GREY_FEATURES, GREY[0].astype("M8[s]"), "dates"),
        (GREY_FEATURES, [["1"] * 9] * 8, "texts"),
        (GREY_FEATURES, [[{}] * 9] * 8, "objects"),
        (GREY_FEATURES, [[10**400] * 9] * 8, "array of numbers"),
        (GREY_FEATURES, {"x": 1}, "array of numbers"),
        (GREY_FEATURES, object(), "array of numbers"),
        (GREY_FEATURES, b"bytes", "array of numbers"),
    ],
)
def test_what_is_no_example_is_refused_with_the_remedy(
    features: ArrayFeatures, example: Any, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        features.encode(example)


def test_gaps_stay_gaps() -> None:
    window = WINDOWS[0].tolist()
    window[3][1] = None
    x = x_of(ALL["windows"][0], window)[0]
    assert x[3, 1] == 0
    image = (BYTES[0] / 255).astype(np.float32)
    image[0, 0, 0] = np.nan
    x = x_of(COLOUR_FEATURES, image)[0]
    assert x[0, 0, 0] == 0
    assert np.array_equal(x[1:], x_of(COLOUR_FEATURES, BYTES[0])[0, 1:])
    hidden = np.arange(48).reshape(16, 3) == 10
    assert x_of(ALL["windows"][0], _masked(WINDOWS[0], hidden))[0, 3, 1] == 0


def test_a_far_value_is_answered_with_a_warning() -> None:
    window = WINDOWS[0].copy()
    window[2, 1] = 100
    warnings: list[str] = []
    features = ALL["windows"][0]
    assert features.encode(window, warnings)["x"][0, 2, 1] > 50
    assert warnings == [
        "x: values far outside the range of training, as at [2, 1]; the answer may be wrong"
    ]
    assert np.isfinite(features.encode(window)["x"]).all()


@pytest.mark.parametrize("name", ALL)
def test_the_contract_travels(name: str) -> None:
    features, examples = ALL[name]
    settings = json.loads(json.dumps(features.settings))
    again = restore("array", settings, features.arrays)
    assert again.settings == settings
    assert np.array_equal(again.encode(examples[0])["x"], features.encode(examples[0])["x"])
    (described,) = again.inputs
    assert described["name"] == "x"
    assert described["dtype"] == examples.dtype.name
    assert described["range"] == features.settings["contract"]["range"]


def test_inputs_say_what_an_image_is() -> None:
    assert COLOUR_FEATURES.inputs == [
        {
            "name": "x",
            "dtype": "uint8",
            "shape": [8, 9, 3],
            "range": [0.0, 255.0],
            "kind": "image",
            "layout": "HWC",
            "colours": "not stated",
        }
    ]
    assert GREY_FEATURES.inputs[0]["colours"] == "grey"
    assert ALL["windows"][0].inputs[0]["layout"] == "TC"


@pytest.mark.parametrize(
    "change",
    [
        {"rules": 2},
        {"range": [1, 0]},
        {"range": [0]},
        {"range": [0, float("nan")]},
        {"range": "all"},
        {"kind": "sound"},
        {"dtype": 8},
        {"dtype": "x" * 1000},
        {"whole": 1},
        {"faintest": -1},
        {"layout": "CHW"},
        {"more": 1},
    ],
)
def test_an_unknown_contract_is_refused(change: dict[str, Any]) -> None:
    settings = COLOUR_FEATURES.settings
    changed = {**settings, "contract": settings["contract"] | change}
    with pytest.raises(ManifestError, match="contract"):
        restore("array", changed, COLOUR_FEATURES.arrays)


def test_without_a_contract_arrays_are_answered_as_before() -> None:
    arrays = {name: COLOUR_FEATURES.arrays[name] for name in ("mean", "deviation")}
    old = restore("array", {"shape": [8, 9, 3]}, arrays)
    tiny = BYTES[0] / 255
    expected = (tiny.astype(np.float32) - arrays["mean"]) / arrays["deviation"]
    assert np.array_equal(old.encode(tiny)["x"][0], expected)
    assert old.inputs == [{"name": "x", "dtype": "float32", "shape": [8, 9, 3]}]
    assert set(old.arrays) == {"mean", "deviation"}


NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([])
)


@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=16, max_size=16))
def test_any_json_is_answered_alike_or_refused(rows: list[list[Any]]) -> None:
    features = ALL["windows"][0]
    found = []
    for given_as in (rows, tuple(map(tuple, rows)), json.loads(json.dumps(rows))):
        try:
            found.append(features.encode(given_as, [])["x"].tobytes())
        except EdgeExpertsError as error:
            found.append(str(error).encode())
    assert len(set(found)) == 1


@pytest.mark.parametrize("datatype", ["UINT8", "INT64", "FP32", "FP64"])
def test_http_tensors_are_answered_as_python_is(datatype: str) -> None:
    def by_http(examples: np.ndarray, datatype: str) -> list[Any]:
        tensor = {"name": "x", "datatype": datatype, "shape": list(examples.shape)}
        content = json.loads(json.dumps([{**tensor, "data": examples.ravel().tolist()}]))
        return examples_of(COLOUR_FEATURES, content, 10)

    images = BYTES[:3].astype(np.float32 if datatype.startswith("FP") else np.uint8)
    for given_as in (images, images.transpose(0, 3, 1, 2), images[:, None]):
        for place, example in enumerate(by_http(given_as, datatype)):
            assert np.array_equal(
                x_of(COLOUR_FEATURES, example), x_of(COLOUR_FEATURES, BYTES[place])
            )
    for example in by_http(BYTES[:2] / 255, "FP32"):
        assert abs(x_of(COLOUR_FEATURES, example)).max() < 3
    with pytest.raises(UsageError, match="these are"):
        x_of(COLOUR_FEATURES, by_http(BYTES[None, :3], datatype)[0])
    (mask,) = by_http(BYTES[:1] > 99, "BOOL")
    with pytest.raises(UsageError, match="true or false"):
        x_of(COLOUR_FEATURES, mask)
    for data in ([True, 1.5], ["1", "2"], [[1], [2, 3]], [1j == None, 2]):
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": data}
        with pytest.raises(UsageError, match="x: an example must"):
            examples_of(ALL["table"][0], [tensor], 10)
