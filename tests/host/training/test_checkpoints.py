"""A training that is killed goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

_TRAINING = """
import sys
import numpy as np
from edge_experts.datasets import from_arrays
from edge_experts.training import config_for, train

random = np.random.default_rng(0)
x = random.standard_normal((2000, 6)).astype(np.float32)
y = x[:, 0] * x[:, 1]
y = (y > 0).astype(int) if sys.argv[3] == "labels" else y
config = config_for(
    "table", experts=4, epochs=2, choice_epochs=int(sys.argv[2]), tune_epochs=1,
    teacher_epochs=0,
)
data = from_arrays("blobs", x[:1800], y[:1800], x[1800:], y[1800:])
train(data, sys.argv[1], config, pictures=False)
"""


def _train(out: Path, epochs: int, targets: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _TRAINING, str(out), str(epochs), targets],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


@pytest.mark.parametrize("targets", ["labels", "values"])
def test_a_killed_training_goes_on_in_the_epoch_where_it_was(tmp_path: Path, targets: str) -> None:
    out, epochs = tmp_path / "killed.run", 60
    process = _train(out, epochs, targets)
    assert process.stderr is not None
    for line in process.stderr:  # a line for every sixth epoch
        if line.startswith("choice: 18/"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    left = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert left == ["killed.run.checkpoints"], "no run folder, and what it had reached"

    again = _train(out, epochs, targets)
    _, said = again.communicate(timeout=240)
    assert again.returncode == 0, said
    assert "Resumed after 'mixture'" in said
    # Of 60 epochs at least 17 were not trained again.
    counted = [line.split()[1] for line in said.splitlines() if line.startswith("choice:")]
    assert counted[-1] == f"{epochs}/{epochs}"
    assert not {"6/60", "12/60"} & set(counted)
    assert [path.name for path in tmp_path.iterdir() if "checkpoints" in path.name] == []
    assert (out / "model.keras").exists()


def test_other_settings_begin_anew(keras: object, tmp_path: Path) -> None:
    from edge_experts.training.checkpoints import Checkpoints

    import tf_keras  # isort: skip

    inputs = tf_keras.Input((2,))
    model = tf_keras.Model(inputs, tf_keras.layers.Dense(1)(inputs))
    weights = model.get_weights()
    first = Checkpoints(tmp_path / "c", {"seed": 1})
    first.save("stage", model)
    model.set_weights([weight + 1 for weight in weights])
    assert Checkpoints(tmp_path / "c", {"seed": 1}).restore("stage", model)
    assert all(map(np.array_equal, model.get_weights(), weights))
    assert not Checkpoints(tmp_path / "c", {"seed": 1}).restore("other", model)
    assert not Checkpoints(tmp_path / "c", {"seed": 2}).restore("stage", model)
    assert not (tmp_path / "c").exists()
