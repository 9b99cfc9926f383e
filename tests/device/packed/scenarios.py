"""What tests of packed experts do in processes of their own, which use LiteRT."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import EdgeExpertsError, MemoryBudgetError, ModelError
from edge_experts.format.atomic import write_whole
from edge_experts.format.manifest import canonical_digest, crc32
from edge_experts.runtime.packed import packing, scheme, sidecars
from edge_experts.runtime.packed.memory_file import MemoryFile
from edge_experts.runtime.packed.slot_pool import SlotPool
from edge_experts.runtime.rows_model import proof_rows
from edge_experts.runtime.tasks.language_model.continuation import Continued, Prompt
from edge_experts.updates.install import install

TOKENS = [1, 5, 9, 2, 77, 31, 8, 100, 3, 4, 55, 23, 11, 90, 6, 7, 12, 13, 99, 61, 70, 2]
CONTEXT = 32


def logits(runtime: ExpertRuntime) -> bytes:
    """Compute a text in chunks of rows and row by row: the bits of all logits."""
    task: Any = runtime.task
    whole = task.logits(TOKENS, runtime.access)
    single = [task.logits(TOKENS[: end + 1], runtime.access)[-1] for end in (0, 4)]
    return bytes(np.concatenate([whole, np.stack(single)]).tobytes())


def opened(root: Path, name: str = "", **options: Any) -> ExpertRuntime:
    """Open a bundle by a scheme, or by that which is chosen."""
    os.environ[scheme.CHOICE] = name
    return ExpertRuntime(root, context=CONTEXT, **options)


def plain(root: Path) -> bytes:
    with opened(root, "plain") as runtime:
        return logits(runtime)


def pool_of(runtime: ExpertRuntime) -> SlotPool:
    pool = runtime.scheme.pool
    assert pool is not None, runtime.scheme
    return pool


def every_scheme_and_budget(root: Path) -> None:
    """Compare bits, and the memory that each scheme takes by its costs."""
    wanted = plain(root)
    for name in ("slots", "mapped", "plain"):
        with opened(root, name) as runtime:
            assert runtime.scheme.name == name, runtime.scheme
            assert logits(runtime) == wanted, name
            everything = runtime.resident_bytes
            costs = pool_of(runtime).costs if name != "plain" else None
        least = everything if costs is None else everything - sum(costs)
        for most in (1, 2, 3, 5):
            budget = None if costs is None else least + most * max(costs)
            with opened(root, name, max_experts=most, memory_budget=budget) as runtime:
                assert logits(runtime) == wanted, (name, most)
                assert len(runtime.resident) <= most
                assert budget is None or runtime.resident_bytes <= budget
                assert runtime.counts.evictions
                runtime.release()
                assert logits(runtime) == wanted


def _bit(content: bytearray) -> bytes:
    content[len(content) * 2 // 3] ^= 4
    return bytes(content)


def _sector(content: bytearray) -> bytes:
    start = len(content) // 2 // 512 * 512
    content[start : start + 512] = bytes(512)
    return bytes(content)


DAMAGES: dict[str, Callable[[bytearray], bytes]] = {
    "bit": _bit,
    "first bit": lambda content: bytes([content[0] ^ 1]) + bytes(content[1:]),
    "sector": _sector,
    "truncated": lambda content: bytes(content[:-7]),
    "empty": lambda content: b"",
    "longer": lambda content: bytes(content) + b"\0",
}


def every_sidecar_damaged(root: Path) -> None:
    """Each expert's file damaged in each way: packed again in memory, and the same bits."""
    wanted = plain(root)
    paths = sorted((root / sidecars.FOLDER).glob(f"*{sidecars.SUFFIX}"))
    assert len(paths) == 8
    contents = [path.read_bytes() for path in paths]
    for number, path in enumerate(paths):
        other = contents[number - 1]
        own = contents[number]
        damaged = [damage(bytearray(own)) for damage in DAMAGES.values()]
        for content in (*damaged, other):
            path.write_bytes(content)
            with opened(root, "slots", max_experts=3) as runtime:
                assert logits(runtime) == wanted
                assert pool_of(runtime).rebuilt
                assert not runtime.quarantined
        path.unlink()
        with opened(root, "mapped") as runtime:
            assert logits(runtime) == wanted
        path.write_bytes(contents[number])


def original_lost(root: Path, folder: Path) -> None:
    """Without an intact sidecar and original an expert is refused, and the answer says so."""
    originals = sorted((folder / "experts" / "001").iterdir())[1:3]
    for path in (root / sidecars.FOLDER).glob(f"*{sidecars.SUFFIX}"):
        path.write_bytes(_bit(bytearray(path.read_bytes())))
    for path in originals:
        path.write_bytes(_bit(bytearray(path.read_bytes())))
    with opened(root) as runtime:
        logits(runtime)
        assert runtime.scheme.name == "slots", runtime.scheme
        assert set(runtime.quarantined) == {5, 6}, runtime.quarantined
        assert "damaged" in runtime.quarantined[5]
    with opened(root) as runtime:
        answer = runtime.predict(Prompt("a b c d", 12))
        assert isinstance(answer, Continued)
        assert answer.degraded, answer.experts
        assert "damaged" in str(answer.reason)


def _change(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = root / sidecars.FOLDER / sidecars.INDEX
    content = json.loads(path.read_text())
    change(content)
    content["digest"] = canonical_digest(content)
    path.write_text(json.dumps(content))


def other_machines(root: Path) -> None:
    """The index of another processor or version, or a damaged one, is as good as none."""
    wanted, path = plain(root), root / sidecars.FOLDER / sidecars.INDEX
    whole = path.read_text()

    def is_plain(reason: str) -> None:
        with opened(root) as runtime:
            assert runtime.scheme.name == "plain"
            assert reason in runtime.scheme.reason, runtime.scheme.reason
            assert logits(runtime) == wanted
        path.write_text(whole)

    for name, value in (("processor", "0123456789abcdef"), ("version", "2.2.0")):

        def rename(content: dict[str, Any], name: str = name, value: str = value) -> None:
            content["machine"][name] = value

        _change(root, rename)
        is_plain(f"another {name}")
    for damaged in (whole[:-5], whole.replace("crc32", "crc33"), "[]", "{}", "[" * 99_999, "\0"):
        path.write_text(damaged)
        is_plain("is damaged")
    _change(root, lambda content: content["files"].popitem())
    is_plain("is not packed here")
    _change(root, lambda content: next(iter(content["files"].values())).pop("answer"))
    is_plain("is damaged")
    altered: dict[str, Any]
    for altered in ({"template": "0" * 64}, {"bytes": 10**15}, {"bytes": "many"}):

        def alter(content: dict[str, Any], altered: dict[str, Any] = altered) -> None:
            next(iter(content["files"].values())).update(altered)

        _change(root, alter)
        is_plain("" if "many" in altered.values() else "another version of the bundle")
    path.unlink()
    is_plain("no packed experts are here")
    with opened(root, delegate="none") as runtime:
        assert runtime.scheme.name == "plain"


def weights_of_another_processor(root: Path) -> None:
    """Files that the index vouches for, and that compute something else: every load is proven."""
    wanted = plain(root)

    def forge(content: dict[str, Any], chosen: Iterable[int]) -> None:
        for number in chosen:
            digest = list(content["files"])[number]
            path = sidecars.path_of(root, digest)
            weights = bytearray(path.read_bytes())
            half = len(weights) // 2
            weights[half : half + 2000] = bytes(one ^ 0x55 for one in weights[half : half + 2000])
            path.write_bytes(weights)
            content["files"][digest]["crc32"] = crc32(bytes(weights))

    _change(root, lambda content: forge(content, [3]))
    with opened(root) as runtime:
        found = logits(runtime)
        assert runtime.scheme.name == "slots"
        assert list(runtime.quarantined) == [3]
        assert "another answer" in runtime.quarantined[3]
        answer = runtime.predict(Prompt("a b c d", 12))
        assert (found == wanted) or answer.reason or 3 not in answer.experts
    _change(root, lambda content: forge(content, [0, 7]))  # those that the start tries
    with opened(root) as runtime:
        assert runtime.scheme.name == "plain"
        assert "slots: " in runtime.scheme.reason
        assert "mapped: " in runtime.scheme.reason
        assert logits(runtime) == wanted


def threads_and_slots(root: Path) -> None:
    """Four threads, fewer slots than they need: the bits of one thread alone."""
    wanted, wrong = plain(root), []
    with opened(root, "slots", max_experts=3, sequences=4) as runtime:
        most = 0

        def work() -> None:
            nonlocal most
            for _ in range(8):
                if logits(runtime) != wanted:
                    wrong.append(1)
                most = max(most, len(runtime.resident))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert not wrong
        assert most <= 3
        assert not runtime.quarantined
        pool, slots = pool_of(runtime), set()
        first = pool.load(0)
        slots.add(first.slot)
        pool.discard(first, reuse=True)
        other = pool.load(1)
        assert other.slot in slots  # overwritten under the live model
        rows = proof_rows(1, 32)
        other.run(rows)
        with pytest.raises(ModelError, match="given to another"):
            first.run(rows)
        pool.discard(other, reuse=True)
        pool.trim()


def frozen_slots(root: Path) -> None:
    """Where an overwritten slot goes on with its old weights, each expert gets a model."""
    wanted, fill = plain(root), SlotPool._fill

    def frozen(self: SlotPool, memory: MemoryFile, *rest: Any) -> None:
        if memory._descriptor >= 0:  # a new one
            fill(self, memory, *rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SlotPool, "_fill", frozen)
        with opened(root) as runtime:
            assert runtime.scheme.name == "mapped", runtime.scheme
            assert "slots: " in runtime.scheme.reason
            assert logits(runtime) == wanted


def forked(root: Path) -> None:
    """A forked child uses none of its parent's slots."""
    wanted = plain(root)
    with opened(root, "slots", max_experts=2) as runtime:
        assert logits(runtime) == wanted
        child = os.fork()
        if not child:
            code = 1
            try:
                is_right = runtime.scheme.name == "plain" and logits(runtime) == wanted
                code = 0 if is_right else 2
            finally:
                os._exit(code)
        assert logits(runtime) == wanted
        assert os.waitpid(child, 0)[1] == 0


def tight(root: Path) -> None:
    """Where the budget holds plain experts only, these are used; a demand is refused."""
    with opened(root, "plain", max_experts=1) as runtime:
        logits(runtime)
        budget = runtime.resident_bytes + 200_000
    with opened(root, "slots") as runtime:
        least = runtime.resident_bytes + max(pool_of(runtime).costs)
    assert least > budget, "the case does not arise"
    with opened(root, memory_budget=budget) as runtime:
        assert runtime.scheme.name == "plain"
        assert "memory budget" in runtime.scheme.reason
        logits(runtime)
    with pytest.raises(MemoryBudgetError, match="packing"):
        opened(root, "slots", memory_budget=budget)


def faster_interpreters(root: Path) -> None:
    """Interpreters, where they are clearly faster and the budget holds all of them."""
    wanted = plain(root)
    with opened(root, "plain") as runtime:
        logits(runtime)
        everything = runtime.resident_bytes
    assert set(sidecars.read(root).times) == {
        scheme.setting(threads, requests) for threads in (1, 2) for requests in (1, 2)
    }

    def name(budget: int | None, **options: Any) -> str:
        with opened(root, memory_budget=budget, **options) as runtime:
            assert logits(runtime) == wanted
            is_told = "times as long (threads 1, requests 2)" in runtime.scheme.reason
            assert is_told == (runtime.scheme.name == "plain"), runtime.scheme.reason
            return str(runtime.scheme.name)

    times = {scheme.setting(1, 1): 1.1, scheme.setting(1, 2): 1.5}
    _change(root, lambda content: content.update(times=times))
    enough = 2 * everything
    assert name(enough) == "slots"
    assert name(enough, sequences=3) == "plain"
    assert name(enough, sequences=3, max_experts=7) == "slots"
    assert name(None, sequences=3) == "slots"
    with opened(root, "slots", sequences=3, memory_budget=enough) as runtime:
        assert runtime.scheme.name == "slots"


def killed_while_packing(bundle: Path, root: Path) -> None:
    """Kill -9 after three sidecars, in the process that packs."""
    whole, left = write_whole, [3]

    def write(path: Path, content: Any, **options: Any) -> None:
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        whole(path, content, **options)

    pytest.MonkeyPatch().setattr(packing, "write_whole", write)
    folder = next((root / "versions").iterdir())
    packing.pack(folder, root, [])


def after_the_kill(bundle: Path, root: Path) -> None:
    """The bundle answers, and the same command packs the rest."""
    wanted = plain(bundle)
    with opened(root) as runtime:
        assert runtime.scheme.name == "plain"
        assert logits(runtime) == wanted
    done = install(bundle, root, packed=True)
    assert not done.changed
    assert done.packed.experts == 8, done.packed
    with opened(root) as runtime:
        assert runtime.scheme.name == "slots"
        assert logits(runtime) == wanted


def refused(root: Path, name: str) -> str:
    """Return the error of opening a bundle by a scheme."""
    try:
        opened(root, name)
    except EdgeExpertsError as error:
        return str(error)
    return ""
