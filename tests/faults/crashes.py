"""What a disk may hold after the power went: every operation of a run, partly kept.

The model is that of ALICE (Pillai et al., 2014), without any promise that a file system does not
make: a file's bytes are there for sure after fsync of the file, else none, half, zeros or all of
them; a name is made, moved or removed for sure after fsync of its folder, else in any combination
with other changes; a rename within a folder is one step.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_experts.format import disk

OPERATIONS = ("write", "fsync", "rename", "link", "symlink", "mkdir", "unlink", "rmdir")
_ALL_UP_TO = 6  # so many unsure changes of names are tried in all combinations
_SAMPLES = 12  # of more of them

Tree = dict[str, bytes | str | None]  # content of a file, target of a link, None for a folder
Operation = tuple[str, tuple[Any, ...]]


@dataclass
class _Node:
    """A file (bytes), a link (text) or a folder (None), and what of it is on the disk for sure."""

    content: bytes | str | None
    synced: bool = False
    names: dict[str, _Node] = field(default_factory=dict)
    sure: dict[str, _Node] = field(default_factory=dict)
    unsure: list[Change] = field(default_factory=list)


@dataclass
class Change:
    """In a folder, `old` disappears and `new` stands for `node`; one of both may be None."""

    old: str | None
    new: str | None
    node: _Node

    def apply(self, names: dict[str, _Node]) -> None:
        if self.old is not None and names.get(self.old) is self.node:
            del names[self.old]
        if self.new is not None:
            names[self.new] = self.node


def recorded(run: Callable[[], object], monkeypatch: Any) -> list[Operation]:
    """Every operation of `run`, which really happens."""
    found: list[Operation] = []

    def recorder(name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any, **options: Any) -> None:
            real(*args, **options)
            found.append((name, args))

        return call

    with monkeypatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(disk, name, recorder(name, getattr(disk, name)))
        run()
    return found


class Disk:
    """The folder `base` as it was before a run, which then replays the run's operations."""

    def __init__(self, base: Path):
        self._base = base
        self._top = self._loaded(base)

    def apply(self, operation: Operation) -> None:
        name, args = operation
        if name == "fsync":
            node = self._node(args[0])
            node.synced, node.sure, node.unsure = True, dict(node.names), []
            return
        path = args[-1] if name in ("rename", "link", "symlink") else args[0]
        folder = self._node(path.parent)
        if name == "write":
            change = Change(None, path.name, _Node(args[1]))
        elif name == "mkdir":
            change = Change(None, path.name, _Node(None))
        elif name == "symlink":
            change = Change(None, path.name, _Node(args[0], synced=True))
        elif name == "link":
            change = Change(None, path.name, self._node(args[0]))
        elif name == "rename":
            assert args[0].parent == path.parent, "between folders it is not one step everywhere"
            change = Change(args[0].name, path.name, folder.names[args[0].name])
        else:  # unlink and rmdir
            change = Change(path.name, None, folder.names[path.name])
        change.apply(folder.names)
        folder.unsure.append(change)

    def crashes(self, chance: random.Random) -> Iterator[Tree]:
        """What may be found if the power goes now."""
        folders = [node for node in self._folders(self._top) if node.unsure]
        changes = [(folder, change) for folder in folders for change in folder.unsure]
        for kept in _subsets(len(changes), chance):
            chosen = [changes[index][1] for index in kept]
            for torn in (lambda c: b"", lambda c: c[: len(c) // 2], lambda c: bytes(len(c)), bytes):
                found: Tree = {}
                _collect(self._top, chosen, torn, "", found)
                yield found

    def _loaded(self, path: Path) -> _Node:
        if path.is_symlink():
            return _Node(str(path.readlink()), synced=True)
        if path.is_file():
            return _Node(path.read_bytes(), synced=True)
        names = {inside.name: self._loaded(inside) for inside in path.iterdir()}
        return _Node(None, True, names, dict(names))

    def _node(self, path: Path) -> _Node:
        node = self._top
        for part in path.relative_to(self._base).parts:
            node = node.names[part]
        return node

    def _folders(self, node: _Node) -> Iterator[_Node]:
        if node.content is None:
            yield node
            seen = [*node.names.values(), *(change.node for change in node.unsure)]
            for inside in {id(one): one for one in (*seen, *node.sure.values())}.values():
                yield from self._folders(inside)


def rebuilt(tree: Tree, folder: Path) -> None:
    """Make `folder`, with what was found after a crash."""
    folder.mkdir()
    for name, content in tree.items():
        if content is None:
            (folder / name).mkdir()
        elif isinstance(content, str):
            (folder / name).symlink_to(content)
        else:
            (folder / name).write_bytes(content)


def _collect(
    node: _Node,
    chosen: list[Change],
    torn: Callable[[bytes], bytes],
    where: str,
    found: Tree,
) -> None:
    names = dict(node.sure)
    for change in node.unsure:
        if any(change is one for one in chosen):
            change.apply(names)
    for name, inside in sorted(names.items()):
        content = inside.content
        unsure = isinstance(content, bytes) and not inside.synced
        found[where + name] = torn(content) if unsure else content  # type: ignore[arg-type]
        if content is None:
            _collect(inside, chosen, torn, f"{where}{name}/", found)


def _subsets(count: int, chance: random.Random) -> Iterable[tuple[int, ...]]:
    every = range(count)
    if count <= _ALL_UP_TO:
        sizes = (itertools.combinations(every, size) for size in range(count + 1))
        return itertools.chain.from_iterable(sizes)
    prefixes = [tuple(range(size)) for size in range(count + 1)]
    alone = [(index,) for index in every]
    without = [tuple(other for other in every if other != index) for index in every]
    drawn = [tuple(index for index in every if chance.random() < 0.5) for _ in range(_SAMPLES)]
    return [*prefixes, *alone, *without, *drawn]
