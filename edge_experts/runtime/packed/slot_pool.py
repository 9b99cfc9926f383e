"""Slots: models whose packed weights are overwritten, under the live model, by another expert's.

That XNNPACK computes with the very bytes of its file is not documented. So nothing is taken for
granted: after every load the expert answers rows whose answer is known from its original file.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import DigestError, MachineError, ModelError
from ...format.manifest import FileEntry, Manifest, crc32
from ..memory.read_ahead import tell_reading
from ..models import Models
from ..rows_model import RowsModel, proof_rows
from . import sidecars
from .compiled import CompiledRows, packed_weights
from .memory_file import MemoryFile
from .reads import Reads
from .sidecars import Index, Sidecar

_MOST_TIMES = 8  # bytes of packed weights for each byte of a model's file, at most


class Template(NamedTuple):
    """A file under which the weights of several experts are used, and its sizes."""

    content: bytes
    given: str
    units: int
    outputs: int

    @classmethod
    def of(cls, model: RowsModel, content: bytes) -> Template:
        return cls(content, model.given, model.inputs[0][1][1], model.output[0][1])

    def opened(self, memory: MemoryFile, name: str, threads: int = 1) -> CompiledRows:
        """Open a model whose weights are in `memory`."""
        made = CompiledRows(
            self.content,
            memory.path,
            name,
            units=self.units,
            outputs=self.outputs,
            threads=threads,
        )
        memory.close_descriptor()
        return made


class WeightSlot:
    """A model and the memory of its weights; `turn` counts the experts that had it."""

    __slots__ = ("lock", "memory", "model", "template", "turn")

    def __init__(self, template: str, size: int):
        self.template, self.turn = template, 0
        self.memory, self.lock = MemoryFile(size), threading.Lock()
        self.model: CompiledRows | None = None

    def run(self, rows: np.ndarray, turn: int) -> np.ndarray:
        with self.lock:
            if self.model is None or turn != self.turn:
                raise ModelError("an expert was used after its slot was given to another one")
            return self.model.run(rows)

    def close(self) -> None:
        with self.lock:
            self.turn += 1
            self.model = None
            self.memory.close()


class PackedExpert:
    """An expert in a slot; it answers until the slot is given to another one."""

    __slots__ = ("_turn", "given", "name", "slot")

    def __init__(self, name: str, given: str, slot: WeightSlot):
        self.name, self.given, self.slot, self._turn = name, given, slot, slot.turn

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.run(arrays[self.given])

    def run(self, rows: np.ndarray) -> np.ndarray:
        """Run the expert on rows, as `RowsModel.run`.

        Raises:
            ModelError: an operator fails, or the slot is another expert's by now.
        """
        return self.slot.run(rows, self._turn)

    def warm_up(self) -> None:
        """Do nothing: it ran when it was loaded."""


class SlotPool:
    """Loads experts from their sidecars into slots.

    `Residency` decides how many experts are in memory, and which one leaves; a slot that is free is
    used for the next expert of the same template, or else closed.

    Args:
        root: install root with the sidecars.
        models: opens original files.
        index: has a sidecar of every expert.
        reuse: overwrite the weights of a live model; otherwise every expert gets a new one.

    Attributes:
        costs: memory of each expert.
        beside: memory beside the experts.
        sizes: bytes that are read for each expert.
        rebuilt: number of sidecars that could not be read, and were packed again in memory.

    Raises:
        ModelError, DigestError: a template cannot be used.
    """

    def __init__(
        self,
        root: Path,
        manifest: Manifest,
        models: Models,
        index: Index,
        *,
        threads: int,
        reuse: bool,
    ):
        self._root, self._entries, self._models = root, manifest.experts, models
        self._sidecars = [index.files[entry.sha256] for entry in manifest.experts]
        self._threads, self._reuse, self.rebuilt = threads, reuse, 0
        self._templates: dict[str, Template] = {}
        places = {entry.sha256: place for place, entry in enumerate(manifest.experts)}
        for entry, sidecar in zip(manifest.experts, self._sidecars, strict=True):
            if sidecar.template not in places or sidecar.bytes > _MOST_TIMES * entry.bytes:
                raise DigestError(f"{entry.path} is packed for another version of the bundle")
        for digest in {one.template for one in self._sidecars}:
            model = models.plain_expert(places[digest])
            if not isinstance(model, RowsModel):
                raise ModelError(f"{model.name}: is not a model of rows")
            content = models.expert_content(places[digest])
            self._templates[digest] = Template.of(model, content)
        self._proofs = {
            units: proof_rows(1, units) for units in {one.units for one in self._templates.values()}
        }
        self._free: defaultdict[str, list[WeightSlot]] = defaultdict(list)
        self._lock, self._packing = threading.Lock(), threading.Lock()
        self._reads = Reads(sum({one.sha256: one.bytes for one in self._sidecars}.values()))
        self.costs = tuple(one.resident_bytes for one in self._sidecars)
        self.sizes = tuple(one.bytes for one in self._sidecars)
        # What packing one expert again takes, for a moment: its file and both copies.
        pairs = zip(manifest.experts, self._sidecars, strict=True)
        packing = max(entry.bytes + 2 * sidecar.bytes for entry, sidecar in pairs)
        templates = sum(len(one.content) for one in self._templates.values())
        self.beside = index.started_bytes + templates + packing

    def load(self, index: int) -> PackedExpert:
        """Read an expert into a slot, and prove that it is this expert that answers.

        Raises:
            ModelError: its answer is another one.
            DigestError: neither its sidecar nor its original file is intact.
            MachineError, OSError: the storage fails, or there is no memory.
        """
        entry, sidecar = self._entries[index], self._sidecars[index]
        template, name = self._templates[sidecar.template], entry.path
        slot = self._take(sidecar)
        try:
            with slot.lock:
                slot.turn += 1
                self._fill(slot.memory, index, entry, sidecar)
                if slot.model is None:
                    slot.model = template.opened(slot.memory, name, self._threads)
                slot.memory.unmap_pages()
                answer = slot.model.run(self._proofs[template.units])
                if crc32(answer.tobytes()) != sidecar.answer:
                    raise ModelError(f"{name}: its packed weights give another answer")
        except BaseException:
            slot.close()
            raise
        return PackedExpert(name, template.given, slot)

    def discard(self, expert: object, *, reuse: bool) -> None:
        """Take back a slot that nobody uses; `reuse`: another expert is to be loaded."""
        assert isinstance(expert, PackedExpert)
        slot = expert.slot
        if not (reuse and self._reuse):
            slot.close()
            return
        with self._lock:
            slot.turn += 1
            self._free[slot.template].append(slot)

    def trim(self) -> None:
        """Close the slots that are free."""
        with self._lock:
            free = [slot for slots in self._free.values() for slot in slots]
            self._free.clear()
        for slot in free:
            slot.close()

    def self_check(self) -> None:
        """Load two experts of each template in turn into one slot, and the first one again.

        Raises:
            as `load`.
        """
        for digest in self._templates:
            places = [at for at, one in enumerate(self._sidecars) if one.template == digest]
            for index in (places[0], places[-1], places[0]):
                self.discard(self.load(index), reuse=True)
        self.trim()

    def _take(self, sidecar: Sidecar) -> WeightSlot:
        with self._lock:
            if self._free[sidecar.template]:
                return self._free[sidecar.template].pop()
        self.trim()  # slots of other shapes, whose memory this one takes
        return WeightSlot(sidecar.template, sidecar.bytes)

    def _fill(self, memory: MemoryFile, index: int, entry: FileEntry, sidecar: Sidecar) -> None:
        try:
            direct = self._reads.go_past_the_cache()
            tell_reading()
            sidecars.read_into(self._root, entry.sha256, sidecar, memory.view, direct=direct)
            return
        except (DigestError, MachineError, OSError) as error:
            problem = error
        with self._packing:  # one at a time: its memory is counted once
            content = self._models.expert_content(index)
            sizes = self._templates[sidecar.template]
            packed = packed_weights(content, entry.path, units=sizes.units, outputs=sizes.outputs)
            if len(packed) != sidecar.bytes or crc32(packed) != sidecar.crc32:
                raise DigestError(f"{problem}; packing it again gives other bytes")
            memory.view[:] = packed
            self.rebuilt += 1
