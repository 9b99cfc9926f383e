"""Sources of converted files: a run's networks as trained, and after compressions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from edge_experts.compression import Compression
from edge_experts.datasets import Dataset
from edge_experts.errors import UnsuitableError

from .compression import compress
from .compression.stage import WORKER
from .network_files import Making, Workload
from .process.cache import Cache
from .process.pool import Workers

AS_TRAINED = ""  # the name of the source without compression


class Sources:
    """Conversions of a run's networks by their compression.

    All share their child processes: TensorFlow's start takes longer than many a conversion.

    Args:
        job: each source gets a folder of its own in it.
        data: examples for fine-tuning; None: those of the run folder.
    """

    def __init__(
        self,
        job: Path,
        run: Path,
        work: Workload,
        *,
        data: Dataset | None = None,
        processes: int | None = None,
        kept: Cache,
    ):
        self._job, self._run, self._work, self._data = job, run, work, data
        self._kept, self._open = kept, ExitStack()
        most = processes or os.cpu_count() or 1
        self._converters = self._open.enter_context(Workers(job, most))
        self._tuners = self._open.enter_context(Workers(job, most, WORKER))
        self.all: dict[str, Making] = {}
        self.plain = self._add(AS_TRAINED, run)

    def compressed(self, compression: Compression) -> Making:
        """Compress the run's experts, and prepare the conversion of its networks.

        Raises:
            UnsuitableError: the method does not support an expert.
        """
        making = self._compressed(compression)
        self._tuners.rest()
        making.prepare()
        return making

    def _compressed(self, compression: Compression) -> Making:
        self._converters.rest()
        place = self._job / f"compressed-{len(self.all)}.run"
        compress(
            self._run,
            place,
            compression,
            data=self._data,
            kept=self._kept,
            workers=self._tuners,
        )
        return self._add(compression.name, place)

    def try_compressed(self, compressions: Iterable[Compression]) -> Mapping[str, Making]:
        """Return all sources but unsuitable ones, for which a warning is printed."""
        for compression in compressions:
            try:
                self._compressed(compression)
            except UnsuitableError as error:
                print(f"not {compression.name}: {str(error).splitlines()[0]}", file=sys.stderr)
        self._tuners.rest()
        for making in self.all.values():
            making.prepare()
        return self.all

    def rest(self) -> None:
        """End idle processes to free their memory."""
        self._converters.rest()

    def _add(self, name: str, run: Path) -> Making:
        folder = self._job / f"source-{len(self.all)}"
        folder.mkdir()
        making = Making(folder, run, self._work, kept=self._kept, workers=self._converters)
        self.all[name] = self._open.enter_context(making)
        return self.all[name]

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
