"""Two workers on this machine train what one does, at the same global batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_experts.errors import UsageError
from tests import language

_TRAINING = """
import sys
import numpy as np
from edge_experts.datasets import from_arrays
from edge_experts.training import config_for, train

random = np.random.default_rng(0)
x = random.standard_normal((600, 6)).astype(np.float32)
y = (x[:, 0] * x[:, 1] > 0) + 2 * (x[:, 2] > 0)
config = config_for(
    "table", experts=4, epochs=2, choice_epochs=2, tune_epochs=2, batch_size=40, teacher_epochs=0,
    distribute=sys.argv[2], learning_rate=2e-3, mixture_learning_rate=2e-3,
)
train(from_arrays("blobs", x[:500], y[:500], x[500:], y[500:]), sys.argv[1], config, pictures=False)
"""

_LANGUAGE = """
import sys
from edge_experts import datasets
from edge_experts.training import config_for, train
from edge_experts.training.language_model import language_trainer

# In bfloat16, on processors that multiply it, rounding soon sends a token to another expert.
language_trainer.fast_precision = lambda: "float32"
settings = dict(units=32, layers=2, heads=4, key_heads=2, inner=32, context=48, pieces=300)
config = config_for(
    "document", experts=4, top_k=2, epochs=1, batch_size=48 * 7, learning_rate=2e-3,
    distribute=sys.argv[2], language_model=settings,
)
train(datasets.load(sys.argv[3]), sys.argv[1], config, pictures=False)
"""


def _started(
    out: Path, distribute: str, *more: str, code: str = _TRAINING, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(out), distribute, *more],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finished(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0, said


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _two_workers(out: Path, *more: str, code: str = _TRAINING) -> list[subprocess.Popen[str]]:
    workers = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    clusters = [
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        for index in range(2)
    ]
    return [
        _started(out, "workers", *more, code=code, TF_CONFIG=json.dumps(cluster))
        for cluster in clusters
    ]


def test_two_workers_agree_with_one(keras: object, tmp_path: Path) -> None:
    import tf_keras

    both = _two_workers(tmp_path / "two.run")
    _finished(*both, _started(tmp_path / "one.run", "none"))
    one, two = (
        tf_keras.models.load_model(tmp_path / name / "model.keras", compile=False)
        for name in ("one.run", "two.run")
    )
    for alone, together in zip(one.get_weights(), two.get_weights(), strict=True):
        assert together == pytest.approx(alone, abs=2e-3)
    moved = one.get_weights()[0] - _untrained(tmp_path)
    assert np.abs(moved).max() > 0.02, "the weights would also agree if nothing was trained"
    assert {path.name for path in tmp_path.iterdir()} == {"one.run", "two.run"}


def test_two_workers_train_the_language_model_that_one_does(keras: object, tmp_path: Path) -> None:
    """Seven rows for two workers: their shares of the batch differ."""
    import tf_keras

    text = tmp_path / "chain.txt"
    text.write_text(language.text(), encoding="utf-8")
    both = _two_workers(tmp_path / "two.run", str(text), code=_LANGUAGE)
    _finished(*both, _started(tmp_path / "one.run", "none", str(text), code=_LANGUAGE))
    one, two = (
        tf_keras.models.load_model(tmp_path / name / "model.keras", compile=False)
        for name in ("one.run", "two.run")
    )
    for alone, together in zip(one.get_weights(), two.get_weights(), strict=True):
        assert together == pytest.approx(alone, abs=2e-3)
    kernels = [weight for weight in one.get_weights() if weight.ndim == 2]
    assert max(np.abs(weight).max() for weight in kernels) > 0.1, "nothing was trained"
    assert {path.name for path in tmp_path.iterdir()} == {"one.run", "two.run", "chain.txt"}


def _untrained(folder: Path) -> np.ndarray:
    """The first weights of the same training before its first step."""
    from edge_experts import run_folder
    from edge_experts.training import networks
    from edge_experts.training.config import TrainConfig
    from edge_experts.training.model_builder import build

    import tf_keras  # isort: skip

    run = run_folder.read_run(folder / "one.run")
    tf_keras.utils.set_random_seed(0)
    shapes = networks.Shapes("table", {"x": ((6,), "float32")}, 4, run.feature_settings)
    model = build(shapes, TrainConfig(**run.config), {})
    weights: np.ndarray = model.get_weights()[0]
    return weights


@pytest.mark.parametrize("given", [None, "nonsense", '{"task": {"index": 0}}'])
def test_workers_without_a_cluster_are_told_what_to_set(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.training import distribution

    monkeypatch.delenv("TF_CONFIG", raising=False)
    if given is not None:
        monkeypatch.setenv("TF_CONFIG", given)
    with pytest.raises(UsageError, match="TF_CONFIG"), distribution.scope("workers"):
        pass
