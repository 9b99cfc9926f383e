"""Packs the experts of an installed bundle; runs in a process of its own, which LiteRT may end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import BundleError, ModelError
from ...features import read_features
from ...format import disk
from ...format.atomic import write_whole
from ...format.manifest import Manifest, crc32, sha256
from ...format.manifest_parser import read_manifest
from ...progress import Progress
from ..interpreter import package
from ..memory import allocator, process_memory
from ..models import Models
from ..rows_model import RowsModel, proof_rows
from ..tasks import open_task
from . import call_times, scheme, sidecars
from .compiled import packed_weights
from .memory_file import MemoryFile
from .sidecars import Index, Sidecar
from .slot_pool import Template

_MOST_TEMPLATES = 4  # files that the weights of all experts are used under
_SLOTS, _PAGE = 4, 4096  # slots that are measured together
_PROOF_ROWS = 5


class Packed(NamedTuple):
    """Number of experts that were packed, of those packed earlier, and bytes of all sidecars."""

    packed: int
    kept: int
    bytes: int


def pack(folder: Path, root: Path, kept: Sequence[str]) -> Packed:
    """Pack the experts of a bundle that have no sidecar, prove each, and record them.

    Args:
        kept: SHA-256 of installed files; sidecars of others are removed.

    Raises:
        BundleError: experts of this bundle cannot be used packed.
        MachineError, OSError: the storage fails.
    """
    allocator.map_large_blocks()
    manifest = read_manifest(folder)
    features = read_features(folder, manifest.features)
    task = open_task(manifest, features, folder)
    models = Models(folder, manifest, features, task, 1, "xnnpack")
    if package() != sidecars.LITERT:
        raise BundleError(scheme.without_litert())
    if not (root / sidecars.FOLDER).is_dir():
        disk.mkdir(root / sidecars.FOLDER)
        disk.fsync(root)
    index = sidecars.read(root)
    here = {entry.sha256 for entry in manifest.experts}
    files = {digest: one for digest, one in index.files.items() if digest in kept}
    for digest in here.intersection(files):
        intact = files[digest].template in here and sidecars.is_whole(root, digest, files[digest])
        if not intact:
            del files[digest]
    missing, started, times = len(here.difference(files)), index.started_bytes, index.times
    if missing:
        packing = _Packing(root, manifest, models, files)
        started = packing.started_bytes()
        files |= packing.all(task.largest_state())
    if missing or not times:
        times = call_times.measure(root, manifest, models, files)
    if missing or files != index.files or times != index.times:
        sidecars.record(root, Index(files, started, reason="", times=times))
    sidecars.keep_only(root, files)
    return Packed(missing, len(here) - missing, sum(files[one].bytes for one in here))


class _Packing:
    def __init__(
        self, root: Path, manifest: Manifest, models: Models, files: Mapping[str, Sidecar]
    ):
        self._root, self._manifest, self._models, self._files = root, manifest, models, files
        self._templates: dict[str, Template] = {}

    def started_bytes(self) -> int:
        """Measure the memory that LiteRT takes once, for the first packed model of a process."""
        first = self._template(0)
        allocator.return_freed_memory()
        before = _private_bytes()
        packed_weights(first.content, "first", units=first.units, outputs=first.outputs)
        allocator.return_freed_memory()
        return max(0, _private_bytes() - before)

    def all(self, largest: Mapping[str, np.ndarray]) -> dict[str, Sidecar]:
        """Pack all experts that are not in `files`."""
        known = {one.template for one in self._files.values()}
        made: dict[str, Sidecar] = {}
        with Progress("Packing experts", len(self._manifest.experts)) as progress:
            for place, entry in enumerate(self._manifest.experts):
                if entry.sha256 in known and entry.sha256 not in self._templates:
                    self._templates[entry.sha256] = self._template(place)
            for place, entry in enumerate(self._manifest.experts):
                if entry.sha256 not in self._files and entry.sha256 not in made:
                    made[entry.sha256] = self._packed(place, entry.sha256)
                progress.step(entry.path)
        costs = {
            digest: self._slot_bytes(digest, template, made, largest)
            for digest, template in self._templates.items()
        }
        return {
            digest: replace(one, resident_bytes=max(costs[one.template], one.resident_bytes))
            for digest, one in made.items()
        }

    def _template(self, place: int) -> Template:
        return Template.of(self._opened(place), self._models.expert_content(place))

    def _opened(self, place: int) -> RowsModel:
        model = self._models.plain_expert(place)
        if not isinstance(model, RowsModel):
            raise BundleError(f"{model.name}: is not a model of rows, so it is not packed")
        return model

    def _packed(self, place: int, digest: str) -> Sidecar:
        plain = self._opened(place)
        own = Template.of(plain, self._models.expert_content(place))
        content = packed_weights(own.content, plain.name, units=own.units, outputs=own.outputs)
        rows = proof_rows(_PROOF_ROWS, own.units)
        wanted = plain.run(rows[:1]), plain.run(rows)
        if (wanted[0] == wanted[0][0, 0]).all():
            raise BundleError(f"{plain.name}: its answers tell nothing, so it is not packed")
        known = next(
            (
                one
                for one, template in self._templates.items()
                if template[1:] == own[1:] and _answers(template, content, plain.name, rows, wanted)
            ),
            None,
        )
        if known is None:
            if len(self._templates) == _MOST_TEMPLATES:
                raise BundleError("its experts differ in more than the weights that are packed")
            if not _answers(own, content, plain.name, rows, wanted):
                raise BundleError(f"{plain.name}: its packed weights give another answer")
            self._templates[digest], known = own, digest
        write_whole(sidecars.path_of(self._root, digest), content)
        size = -(-len(content) // _PAGE) * _PAGE
        return Sidecar(
            len(content),
            sha256(content),
            crc32(content),
            known,
            crc32(wanted[0].tobytes()),
            size,
        )

    def _slot_bytes(
        self,
        digest: str,
        template: Template,
        made: Mapping[str, Sidecar],
        largest: Mapping[str, np.ndarray],
    ) -> int:
        """Measure the memory of a slot, after the largest number of rows."""
        sidecar = next((one for one in made.values() if one.template == digest), None)
        if sidecar is None:
            return 0
        content = packed_weights(
            template.content, digest, units=template.units, outputs=template.outputs
        )
        slots: list[Any] = []
        rows, growth = largest[template.given], []
        for _ in range(_SLOTS):
            allocator.return_freed_memory()
            before = _private_bytes()
            memory = MemoryFile(len(content))
            memory.view[:] = content
            model = template.opened(memory, digest)
            memory.unmap_pages()
            model.run(rows)
            model.run(rows[:1])
            slots.append((memory, model))
            growth.append(_private_bytes() - before)
        return max(growth[1:])  # the first one includes what a process needs once


def _answers(
    template: Template,
    content: bytes,
    name: str,
    rows: np.ndarray,
    wanted: tuple[np.ndarray, np.ndarray],
) -> bool:
    """Test that packed weights give the wanted answers under a template, to the bit."""
    memory = MemoryFile(len(content))
    try:
        memory.view[:] = content
        model = template.opened(memory, name)
        found = model.run(rows[:1]), model.run(rows)
        # LiteRT would have packed the template's own weights over others that it does not accept.
        kept = memory.view == content
        del model
    except ModelError:
        return False
    finally:
        memory.close()
    pairs = zip(found, wanted, strict=True)
    return kept and all(one.tobytes() == other.tobytes() for one, other in pairs)


def _private_bytes() -> int:
    found = process_memory.read()
    return found.anonymous + found.shared
