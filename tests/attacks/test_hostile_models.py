"""Models that do not fit their manifest: said when they are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import ModelError
from edge_experts.format.npz import npz
from edge_experts.runtime.fit import must_fit, trunk_shape
from edge_experts.runtime.interpreter import Model

from .bundles import TINY, replaced, rewritten


def test_an_input_of_another_shape_is_named(tiny: Path) -> None:
    rewritten(tiny, lambda content: content["features"]["config"].update(shape=[3]))
    with pytest.raises(ModelError, match=r"router\.tflite: 'x' must have the shape \(1, 3\)"):
        ExpertRuntime(tiny)


def test_an_input_that_features_do_not_make_is_named(tiny: Path) -> None:
    def text(content: dict[str, Any]) -> None:
        content["features"]["kind"] = "text"
        content["features"]["config"] = {"word_bits": 3, "char_bits": 3}

    replaced(tiny, features=npz(bucket_weights=np.ones(16)))
    rewritten(tiny, text)
    with pytest.raises(ModelError, match="input 'x' is not in its bundle, which has ids, weights"):
        ExpertRuntime(tiny)


def test_a_router_has_one_output_for_each_expert(tiny: Path) -> None:
    rewritten(tiny, lambda content: content["experts"].pop())
    with pytest.raises(ModelError, match="one number for each of the experts"):
        ExpertRuntime(tiny)


def test_an_expert_has_one_output_for_each_label(tiny: Path) -> None:
    rewritten(tiny, lambda content: content.update(labels=["a", "b", "c"]))
    with (
        ExpertRuntime(tiny) as runtime,
        pytest.raises(ModelError, match=r"experts/00\d\.tflite: .* each of the labels"),
    ):
        runtime.predict([1, 2])


class Odd(Model):
    """The tiny model, which says something else of itself."""

    def __init__(self, **forms: Any):
        super().__init__(TINY, "odd")
        for name, form in forms.items():
            setattr(self, name, form)


INT8, FLOAT, INT32 = np.dtype(np.int8), np.dtype(np.float32), np.dtype(np.int32)


@pytest.mark.parametrize(
    ("form", "wanted"),
    [((INT32, False), np.float32), ((FLOAT, False), np.int32), ((INT8, True), np.int32)],
)
def test_types_of_inputs_must_fit(form: tuple[Any, bool], wanted: type[np.number]) -> None:
    with pytest.raises(ModelError, match="'x' must be"):
        must_fit(Odd(inputs=[("x", (1, 2), *form)]), {"x": ((1, 2), wanted)}, 2, "labels")


def test_quantized_inputs_and_outputs_fit_real_numbers() -> None:
    model = Odd(inputs=[("x", (1, 2), INT8, True)], output=((1, 2), INT8, True))
    must_fit(model, {"x": ((1, 2), np.float32)}, 2, "labels")


@pytest.mark.parametrize("form", [(INT32, False), (FLOAT, True)])
def test_types_of_outputs_must_fit(form: tuple[Any, bool]) -> None:
    with pytest.raises(ModelError, match="must be real numbers, is"):
        must_fit(Odd(output=((1, 2), *form)), {"x": ((1, 2), np.float32)}, 2, "labels")


def test_a_routers_second_output_is_one_row_of_real_numbers() -> None:
    assert trunk_shape(Odd()) == {}
    for form in (((1, 7), FLOAT, False), ((1, 7), INT8, True)):
        assert trunk_shape(Odd(second_output=form)) == {"trunk": ((1, 7), np.float32)}
    for odd in (((7,), FLOAT, False), ((2, 7), FLOAT, False), ((1, 7), INT8, False)):
        with pytest.raises(ModelError, match="second output"):
            trunk_shape(Odd(second_output=odd))
