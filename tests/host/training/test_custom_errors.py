"""Errors of custom layers in one line, which has the cause."""

from __future__ import annotations

import pytest

LAYER = "Exception encountered when calling layer 'a' (type A)."


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("one thing\nand another", "ValueError: one thing"),
        (f"{LAYER}\n\nthe cause\n\nCall arguments", f"ValueError: {LAYER} the cause"),
        ("in user code:\n\n  File a\n    TypeError: the cause\n", "TypeError: the cause"),
        (
            f"in user code:\n\n  File a\n    TypeError: {LAYER}\n    \n    the cause\n",
            f"TypeError: {LAYER} the cause",
        ),
        (
            "Error when deserializing class 'Model' using config={'name': 'outer'}.\n\n"
            "Exception encountered: Error when deserializing class 'Dense' using "
            "config={'name': 'inner', 'units': 2}.\n\nException encountered: the\ncause",
            "its layer 'inner' (Dense): the cause",
        ),
    ],
)
def test_the_cause_of_an_error(message: str, line: str) -> None:
    from edge_experts.training.custom_errors import cause

    assert cause(ValueError(message)) == line


def test_the_cause_of_an_error_that_a_process_writes() -> None:
    from edge_experts.training.custom_errors import in_one_line

    told = "TypeError: Exception encountered when calling A.call()."
    text = f"{told}\n\n\x1b[1mthe cause\x1b[0m\n\nArguments:\n  x"
    assert in_one_line(text) == f"{told} the cause"
