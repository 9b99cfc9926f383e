"""What a killed training leaves, so that it goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from ..format.atomic import write_whole
from ..format.npz import npz

_SETTINGS = "settings.json"


class Checkpoints:
    """A folder with the weights after each stage, and of the last epoch of the one that runs.

    Args:
        folder: made when first written to; `remove` it when the training is done.
        settings: what a training must share with the one that left the folder to go on from it;
            what is left by another one is removed.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]):
        self.folder = folder
        text = json.dumps(settings, sort_keys=True, default=str)
        self._digest = hashlib.sha256(text.encode()).hexdigest()
        found = folder / _SETTINGS
        self.resumes = found.exists() and found.read_text() == self._digest
        if not self.resumes:
            self.remove()

    def restore(self, stage: str, model: tf_keras.Model) -> bool:
        """Whether the stage was finished; then the model has the weights that it ended with."""
        path = self._weights(stage)
        if not path.exists():
            return False
        with np.load(path) as arrays:
            model.set_weights([arrays[str(place)] for place in range(len(arrays))])
        return True

    def save(self, stage: str, model: tf_keras.Model) -> None:
        weights = {str(place): array for place, array in enumerate(model.get_weights())}
        self._begin()
        write_whole(self._weights(stage), npz(**weights))

    def epochs_of(self, stage: str) -> Path:
        """Where Keras keeps the state after each epoch of a stage."""
        self._begin()
        return self.folder / stage

    def of(self, part: str) -> Checkpoints:
        """Those of another model that is trained on the way."""
        return Checkpoints(self.folder / part, {"digest": self._digest})

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _weights(self, stage: str) -> Path:
        return self.folder / f"{stage}.npz"

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _SETTINGS).write_text(self._digest)
