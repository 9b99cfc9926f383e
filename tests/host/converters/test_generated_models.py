"""Twenty networks drawn at random: each agrees with Keras once converted, or is refused in words.

`python -m benchmarks generated` does the same with two hundred.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from typing import Any

import pytest

# What TFLite cannot do, by recipe and by a kind of layer in the network, and what int8 cannot hold;
# anything else that is refused is a fault of ours.
REFUSED = (
    (".*", "softsign", "TensorFlow's own operators"),
    ("int8|int16x8", "GRU batch 1", "."),
    ("int16x8", "LSTM batch 1", "."),
    ("int16x8", "MultiHeadAttention|layernorm", "RSQRT|SIGABRT|SIG"),
    ("int16x8", "gelu", "GELU"),
    ("int16x8", "softplus", "LOG|EXP"),
    # What is almost one everywhere, and is told apart by what is left of that.
    ("int8", "(tanh|sigmoid) .*GlobalMaxPooling", "Keras is confident of"),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    from edge_experts.converters.process.pool import Workers

    from benchmarks.converting.generated.checking import check
    from benchmarks.converting.generated.outcomes import recipes

    folder = tmp_path_factory.mktemp("generated")
    with Workers(folder, 1) as workers:
        return list(check(range(20), folder, workers, lambda seed: recipes(seed, 10)))


def test_they_agree_with_keras(results: list[Any]) -> None:
    wrong = [
        (result.seed, result.network, result.interpreter, result.recipe, result.equal)
        for result in results
        if result.outcome == "differs"
    ]
    assert not wrong
    agreed = Counter((r.interpreter, r.recipe) for r in results if r.outcome == "agrees")
    for interpreter in {result.interpreter for result in results} - {""}:
        assert agreed[interpreter, "float32"] >= 25
        assert agreed[interpreter, "int8"] >= 25, "as many as convert"
    sure = [result.confident for result in results if result.outcome == "agrees"]
    assert min(sure) >= 100, "of 200 inputs"


def test_what_is_refused_is_what_tflite_cannot_do(results: list[Any]) -> None:
    for result in results:
        if result.outcome == "refused":
            said = [result.recipe, " ".join(result.layers), result.reason]
            known = [
                all(re.search(part, text) for part, text in zip(one, said, strict=True))
                for one in REFUSED
            ]
            assert any(known), result.to_json()


def test_both_interpreters_were_asked(results: list[Any]) -> None:
    from benchmarks.converting.generated.answer_process import INTERPRETERS

    missing = set(INTERPRETERS) - {result.interpreter for result in results}
    assert missing != set(INTERPRETERS)
    if missing:
        warnings.warn(f"NOT CHECKED, because it is not installed: {missing}", stacklevel=1)
