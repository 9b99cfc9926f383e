"""A user's own function that raises is the user's error: its file, its line, exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_experts.errors import UsageError

FAILING = {
    "    return {}['units']\n": "KeyError: 'units'",
    "    raise ValueError('no units\\nsecond line')\n": "ValueError: no units",
    "    import tf_keras\n    tf_keras.layers.Dense(2)(shapes)\n": "line 3: ",
    "    helper()\n\ndef helper():\n    1 / 0\n": "line 5: ZeroDivisionError",
    "    assert False\n": "AssertionError",
}


@pytest.fixture(scope="module")
def build() -> Callable[[str], object]:
    """Experts of a user's function, `MODULE:FUNCTION`."""
    from edge_experts.training.networks import user_networks
    from edge_experts.training.networks.shapes import Shapes

    shapes = Shapes("table", {"x": ((3,), "float32")}, 2, {})
    return lambda name: user_networks.experts(name, shapes, 2, 1.0)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("number", range(len(FAILING)))
def test_a_function_that_raises(
    build: Callable[[str], object], tmp_path: Path, number: int
) -> None:
    body, told = list(FAILING.items())[number]
    path = tmp_path / f"raising_{number}.py"
    path.write_text(f"def build(shapes):\n{body}")
    with pytest.raises(UsageError) as caught:
        build(f"raising_{number}:build")
    message = str(caught.value)
    assert message.startswith(f"--model raising_{number}:build: {path}, line ")
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize("content", ["1 / 0\n", "def build(:\n", "import no_such_module_here\n"])
def test_a_module_that_cannot_be_imported(
    build: Callable[[str], object], tmp_path: Path, content: str
) -> None:
    name = f"broken_{abs(hash(content))}"
    (tmp_path / f"{name}.py").write_text(content)
    with pytest.raises(UsageError, match=f"^--model {name}:build: "):
        build(f"{name}:build")
