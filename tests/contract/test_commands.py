"""Commands and their options stay as 0.1.0 had them."""

from __future__ import annotations

import copy

from . import commands
from .data import snapshot


def test_every_command_and_option_of_0_1_0_is_still_there() -> None:
    assert commands.differences(snapshot("commands"), commands.describe()) == []


def test_what_may_not_change_is_noticed_and_additions_are_not() -> None:
    recorded = snapshot("commands")
    changed = copy.deepcopy(recorded)
    parameters = changed["convert"]["parameters"]
    parameters["layout"]["default"] = "gated"
    parameters["quantization"]["choices"].remove("int16x8")
    parameters["top_k"]["names"] = ["--topk"]
    del parameters["force"], changed["pack"]
    assert len(commands.differences(recorded, changed)) == 5
    assert commands.differences(parameters and changed, recorded) == [
        "convert layout: default was 'gated', is 'split'",
        "convert top_k: names was ['--topk'], is ['--top-k']",
    ]
