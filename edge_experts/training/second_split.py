"""A second split of the same examples, with validation examples not used for a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..datasets import Dataset, Split, series, splitting

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class EncodedExamples:
    """A data set, its encoded splits, and a teacher's outputs for them (empty without one)."""

    dataset: Dataset
    data: Mapping[str, Arrays]
    taught: Mapping[str, np.ndarray]

    def split_again(self, classes: np.ndarray, seed: int) -> EncodedExamples:
        """Draw a new validation split of about the old size from the training examples.

        The old validation examples join the training split.
        The features and the teacher remain those that were fitted to the first split.

        Args:
            classes: classes of the training examples, (examples,) int64.
        """
        held_out = _held_out(self.dataset.train, classes, seed)
        parts = (np.flatnonzero(~held_out), np.flatnonzero(held_out))

        def moved(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            """Rearrange arrays of the old split to those of the new one."""
            rest, other = (arrays["train"][rows] for rows in parts)
            return {"train": np.concatenate([rest, arrays["validation"]]), "validation": other}

        names = self.data["train"]
        encoded = {
            name: moved({split: self.data[split][name] for split in ("train", "validation")})
            for name in names
        }
        targets = moved({s: getattr(self.dataset, s).targets for s in ("train", "validation")})
        known = {s: getattr(self.dataset, s).groups for s in ("train", "validation")}
        groups = moved(known) if all(each is not None for each in known.values()) else {}
        sizes = {split: np.arange(len(values)) for split, values in targets.items()}
        return EncodedExamples(
            # Only the targets are read: inputs are encoded already.
            replace(
                self.dataset,
                train=Split(sizes["train"], targets["train"], groups.get("train")),
                validation=Split(
                    sizes["validation"], targets["validation"], groups.get("validation")
                ),
            ),
            {
                **{
                    split: {name: encoded[name][split] for name in names}
                    for split in ("train", "validation")
                },
                "test": self.data["test"],
            },
            moved(self.taught) if self.taught else {},
        )


def _held_out(train: Split, classes: np.ndarray, seed: int) -> np.ndarray:
    """True for a tenth of the examples: whole groups, stretches of a series, or random ones."""
    wishes = np.full(len(train), "")
    if train.groups is not None and len(np.unique(train.groups)) > 1:
        groups = train.groups.tolist()
        found = splitting.assign(wishes, classes, seed, draw=["validation"], groups=groups)
        if "validation" in found:
            return found == "validation"
    drawn = splitting.assign(wishes, classes, seed, draw=["validation"])
    return series.redraw(drawn, train.inputs, train.targets, seed) == "validation"
