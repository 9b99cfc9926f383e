"""Finished measurements as JSON lines, so that a killed study can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import edge_experts
from edge_experts.errors import UsageError

_DECIDING = ("datasets", "features", "training")  # packages that affect the result of training


@dataclass(frozen=True)
class TrainedModel:
    """One trained model.

    Attributes:
        score: accuracy or R2 on the test rows.
        macs: multiply-adds of one answer, the router's included.
        seconds: duration of its training.
    """

    score: float
    experts: int
    macs: int
    seconds: float


@dataclass(frozen=True)
class Measurement:
    """Experts and the dense network of equal active size, on one set by one seed.

    Attributes:
        code: digest of the code that trained.
        losses: each test row's loss of the dense network minus that of the experts, (rows,); its
            mean is the gain.
    """

    name: str
    kind: str
    seed: int
    code: str
    deployed: bool
    train_rows: int
    test_rows: int
    sparse: TrainedModel
    dense: TrainedModel
    losses: tuple[float, ...]

    @property
    def key(self) -> tuple[str, int]:
        return self.name, self.seed


def append(path: Path, measurement: Measurement) -> None:
    """Write one line at the end of the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(measurement)) + "\n")


def read(path: Path, *, deployed: bool) -> list[Measurement]:
    """Read the measurements of a file; one that does not exist has none.

    A last line that a killed program left unfinished is dropped from the file.

    Raises:
        UsageError: the file has other lines, or they are of other code or of another option.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        path.write_text(text, encoding="utf-8")
    found = [_of_line(path, number, line) for number, line in enumerate(text.splitlines(), 1)]
    for measurement in found:
        if measurement.code != code_digest():
            raise UsageError(
                f"{path}: measured with other code ({measurement.code}, this is {code_digest()}); "
                "name another file with --out"
            )
        if measurement.deployed != deployed:
            raise UsageError(
                f"{path}: measured {_with(measurement.deployed)}; name another file with --out"
            )
    return found


@cache
def code_digest() -> str:
    """Return twelve digits of a digest of the packages that affect the result of training."""
    root = Path(edge_experts.__file__).parent
    digest = hashlib.sha256()
    for path in _sources(root):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(root: Path) -> Iterable[Path]:
    return sorted(path for name in _DECIDING for path in (root / name).rglob("*.py"))


def _of_line(path: Path, number: int, line: str) -> Measurement:
    try:
        content: dict[str, Any] = json.loads(line)
        content |= {name: TrainedModel(**content[name]) for name in ("sparse", "dense")}
        return Measurement(**{**content, "losses": tuple(content["losses"])})
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{path}: line {number} is not a line of this program ({error}); name another file "
            "with --out"
        ) from None


def _with(deployed: bool) -> str:
    return "with --deployed" if deployed else "without --deployed"
