"""What C source is made of: literals, the names of operators, and the types it can compute."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_experts.converters.c_source import c_networks
from edge_experts.converters.tasks import c_literals as literals

from edge_experts.errors import UnsuitableError

from ..compilers import LABELS, compile_


def test_an_unscaled_type_is_refused(keras: Any, convert_one: Callable[[str], bytes]) -> None:
    with pytest.raises(UnsuitableError, match="int16"):
        c_networks.Network.of("router.tflite", convert_one("int16x8"))


@pytest.fixture
def convert_one(keras: Any) -> Callable[[str], bytes]:
    from edge_experts.converters.tflite.quantization import to_tflite

    inputs = keras.Input((4,), name="x")
    network = keras.Model({"x": inputs}, keras.layers.Dense(2)(inputs))
    samples = {"x": np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)}
    return lambda recipe: to_tflite(network, recipe, samples, "integer")


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("ADD_N", "AddAddN"),
        ("AVERAGE_POOL_2D", "AddAveragePool2D"),
        ("BATCH_MATMUL", "AddBatchMatMul"),
        ("CONV_2D", "AddConv2D"),
        ("CUMSUM", "AddCumSum"),
        ("L2_POOL_2D", "AddL2Pool2D"),
        ("PADV2", "AddPadV2"),
        ("RELU6", "AddRelu6"),
        ("SELECT_V2", "AddSelectV2"),
        ("SPACE_TO_BATCH_ND", "AddSpaceToBatchNd"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "AddUnidirectionalSequenceLSTM"),
    ],
)
def test_operators_are_added_by_the_names_that_tflite_micro_gives_them(
    operator: str, method: str
) -> None:
    assert c_networks.method(operator) == method


def test_literals_are_read_as_the_same_values(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    singles = np.concatenate(
        [random.normal(size=200) * 10.0 ** random.integers(-38, 38, 200), [0, 3e9, 1e-42]]
    ).astype(np.float32)
    doubles = singles.astype(np.float64) * np.pi
    texts = [*LABELS, "".join(map(chr, range(1, 400))), "\N{GRINNING FACE}7"]
    (tmp_path / "l.c").write_text(
        f"const float singles[] = {{{', '.join(map(literals.single, singles.tolist()))}}};\n"
        f"const double doubles[] = {{{', '.join(map(literals.double, doubles.tolist()))}}};\n"
        f"/* {literals.comment('a */ ??/ ' + LABELS[1])} */\n"
        + "".join(f"const char text_{n}[] = {literals.text(t)};\n" for n, t in enumerate(texts))
    )
    compile_("gcc", "-std=c99", "-Wall", "-Werror", "-shared", "-fPIC", tmp_path / "l.c",
             "-o", tmp_path / "l.so")  # fmt: skip

    library = ctypes.CDLL(str(tmp_path / "l.so"))
    assert list((ctypes.c_float * len(singles)).in_dll(library, "singles")) == singles.tolist()
    assert list((ctypes.c_double * len(doubles)).in_dll(library, "doubles")) == doubles.tolist()
    for number, text in enumerate(texts):
        encoded = text.encode()
        read = (ctypes.c_char * (len(encoded) + 1)).in_dll(library, f"text_{number}")
        assert bytes(read) == encoded + b"\0"
