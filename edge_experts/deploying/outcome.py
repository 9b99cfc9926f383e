"""Result of a deployment on one board."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import EdgeExpertsError
from .unit import Unit

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Outcome:
    """Result of one board; values of steps that were not reached are None.

    Attributes:
        error: why it failed; the board answers as before. Only after a failed benchmark is the new
            bundle current nevertheless; `current` tells.
        board: description, such as 'Python 3.11 on aarch64, glibc 2.36'.
        environment: whether the right one was there or was built; with `dry_run`: would be.
        bundle: path on the board, as all commands take it.
        current, previous: versions; equal if there was nothing to do, see `changed`.
        wheels_bytes, bundle_bytes: bytes transferred for each, file lists included; with `dry_run`,
            the size of the files that would be.
        seconds: duration without the benchmark.
        benchmark: as `edge-experts benchmark --json` prints it.
        image_files: the command that installs Pillow on the board, without which it cannot read
            image files; None if it is there, or the bundle takes none.
        restart: the command that restarts a running server with the new environment.
    """

    host: str
    dry_run: bool = False
    error: EdgeExpertsError | None = None
    board: str | None = None
    environment: Literal["kept", "built"] | None = None
    bundle: str | None = None
    current: str | None = None
    previous: str | None = None
    changed: bool | None = None
    golden_examples: int | None = None
    wheels_bytes: int | None = None
    bundle_bytes: int | None = None
    seconds: float | None = None
    benchmark: dict[str, Any] | None = None
    unit: Unit | None = None
    image_files: str | None = None
    restart: str | None = None

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {name: value for name, value in vars(self).items() if name != "unit"}
        return {
            **told,
            "error": None if self.error is None else str(self.error),
            "exit_code": 0 if self.error is None else self.error.exit_code,
            "unit": None if self.unit is None else asdict(self.unit),
        }
