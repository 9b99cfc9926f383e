"""A runtime that follows an install root, from one request to the next."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from edge_experts import ExpertRuntime, InstalledRuntime, MemoryBudget
from edge_experts.errors import UsageError
from edge_experts.features import encode_all
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest import MANIFEST
from edge_experts.runtime import installed
from edge_experts.runtime.installed import open_runtime
from edge_experts.updates.install import install, rollback

from ...tiny import INPUTS, tiny_bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    install(tiny_bundle(tmp_path / "1", version=1, seeds=(0, 10)), tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
def runtime(root: Path) -> Iterator[InstalledRuntime]:
    with InstalledRuntime(root, check_every=0) as runtime:
        yield runtime


def update(root: Path, version: int) -> Path:
    bundle = tiny_bundle(root.parent / str(version), version=version, seeds=(version, 10))
    install(bundle, root)
    return bundle


def score(bundle: Path) -> float:
    with ExpertRuntime(bundle) as runtime:
        return runtime.predict(INPUTS[2]).score


def test_it_moves_over_between_two_requests(root: Path, runtime: InstalledRuntime) -> None:
    assert runtime.predict(INPUTS[2]).score == score(root.parent / "1")
    bundle = update(root, 2)
    assert runtime.manifest.bundle_version == 1, "nobody has asked since"
    assert runtime.predict(INPUTS[2]).score == score(bundle) != score(root.parent / "1")
    assert (runtime.manifest.bundle_version, runtime.folder) == (2, resolve(root))
    rollback(root)
    answers = list(runtime.predict_many(INPUTS))
    assert answers[2].score == score(root.parent / "1")
    assert runtime.features.encode(INPUTS[0])["x"].shape == (1, 2)


def test_batches_are_of_one_version(root: Path, runtime: InstalledRuntime) -> None:
    bundle = update(root, 2)
    batch = runtime.predict_batch(INPUTS)
    assert batch[2].score == score(bundle)
    found = runtime.predict_arrays(encode_all(runtime.features, INPUTS))
    assert found.scores[2].max() == pytest.approx(score(bundle))


def test_it_tells_of_the_version_that_answers(root: Path, runtime: InstalledRuntime) -> None:
    runtime.predict(INPUTS[2])
    assert len(runtime.resident) == 1
    assert runtime.quarantined == {}
    assert runtime.drift is None, "nobody watches"
    assert runtime.task.name == "classification"
    assert runtime.scheme.name == "plain"
    assert runtime.locked is None, "no dense parts"
    assert runtime.resident_bytes == 2000, "a router and an expert of 1 kB each"
    list(runtime.predict_many(INPUTS))
    assert runtime.counts == (2, 0)
    update(root, 2)
    runtime.predict(INPUTS[2])
    assert runtime.counts == (1, 0), "of the version that answers"
    with runtime.held() as held:
        installed._in_child()  # as in a fork: the request that another thread holds is forgotten
        assert runtime.predict(INPUTS[2]).score == held.predict(INPUTS[2]).score
    runtime.close()
    installed._in_child()
    with pytest.raises(UsageError, match="closed"):
        runtime.predict(INPUTS[2])


def test_it_does_not_look_before_every_request(root: Path) -> None:
    with InstalledRuntime(root, check_every=1000) as runtime:
        update(root, 2)
        runtime.predict(INPUTS[0])
        assert runtime.manifest.bundle_version == 1


def test_following_adds_a_few_calls_to_an_answer_and_none_to_the_system(root: Path) -> None:
    def calls(predict: Callable[[Any], object]) -> Counter[str]:
        """What one answer calls, Python's functions and C's, by name."""
        found: Counter[str] = Counter()

        def count(frame: FrameType, event: str, argument: Any) -> None:
            if event == "call":
                found[frame.f_code.co_name] += 1
            elif event == "c_call":
                found[argument.__name__] += 1

        predict(INPUTS[0])  # what the first answer alone does is not counted
        sys.setprofile(count)
        try:
            predict(INPUTS[0])
        finally:
            sys.setprofile(None)
        return found

    with InstalledRuntime(root, check_every=1000) as following, ExpertRuntime(root) as plain:
        added = calls(following.predict) - calls(plain.predict)
    # The request, its two counts, the clock; locks are left by `__exit__` on some Pythons only.
    assert set(added) - {"__exit__", "__enter__"} == {"predict", "_enter", "_leave", "monotonic"}
    assert added.total() <= 8


def test_a_version_that_does_not_open_changes_nothing(
    root: Path, runtime: InstalledRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "_RETRY", 0.0)
    update(root, 2)
    manifest = resolve(root) / MANIFEST
    content = manifest.read_bytes()
    manifest.write_bytes(b"{")
    with pytest.warns(RuntimeWarning, match=r"not a manifest.*1-\w+ goes on answering"):
        runtime.predict(INPUTS[0])
    assert "goes on answering" in str(runtime.problem)
    assert runtime.manifest.bundle_version == 1
    manifest.write_bytes(content)
    runtime.predict(INPUTS[0])
    assert (runtime.problem, runtime.manifest.bundle_version) == (None, 2)


def test_it_is_tried_again_after_a_while_only(root: Path, runtime: InstalledRuntime) -> None:
    (root / "current").unlink()
    with pytest.warns(RuntimeWarning, match="goes on answering"):
        runtime.predict(INPUTS[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runtime.predict(INPUTS[0])


def test_the_old_version_stays_open_for_its_last_answer(
    root: Path, runtime: InstalledRuntime
) -> None:
    with runtime.held() as old:
        update(root, 2)
        runtime.predict(INPUTS[0])
        assert runtime.manifest.bundle_version == 2
        assert old.predict(INPUTS[0]).label == "up"
    with pytest.raises(UsageError, match="closed"):
        old.predict(INPUTS[0])


def test_while_one_request_opens_a_version_others_go_on(
    root: Path, runtime: InstalledRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, go_on = threading.Event(), threading.Event()
    real = InstalledRuntime._open

    def slow(self: InstalledRuntime, target: Path) -> object:
        opening.set()
        assert go_on.wait(60)
        return real(self, target)

    monkeypatch.setattr(InstalledRuntime, "_open", slow)
    update(root, 2)
    thread = threading.Thread(target=runtime.predict, args=(INPUTS[0],))
    thread.start()
    assert opening.wait(60)
    runtime.predict(INPUTS[0])
    assert runtime.manifest.bundle_version == 1
    go_on.set()
    thread.join()
    assert runtime.manifest.bundle_version == 2


def test_threads_answer_through_many_switches(root: Path, runtime: InstalledRuntime) -> None:
    expected = {score(root.parent / "1")}
    wrong: list[object] = []
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            try:
                found.add(runtime.predict(INPUTS[2]).score)
            except Exception as error:  # whatever it is, the test must see it
                wrong.append(error)

    found: set[float] = set()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in range(2, 12):
        expected.add(score(update(root, version)))
    ended.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert found <= expected
    assert len(found) > 1


def test_a_folder_is_opened_as_what_it_is(root: Path) -> None:
    with open_runtime(root) as runtime:
        assert isinstance(runtime, InstalledRuntime)
    with open_runtime(root / "current", memory_budget=2000) as runtime:
        assert isinstance(runtime, ExpertRuntime)


def test_an_expert_runtime_stays_with_what_was_current(root: Path) -> None:
    with ExpertRuntime(root) as runtime:
        update(root, 2)
        assert runtime.predict(INPUTS[2]).score == score(root.parent / "1") != score(root)


def test_a_child_does_not_wait_for_its_parents_threads(
    root: Path, runtime: InstalledRuntime
) -> None:
    with runtime.held(), runtime._lock, runtime._moving:
        runtime.after_fork()
        update(root, 2)
        runtime.predict(INPUTS[0])
    assert runtime.manifest.bundle_version == 2
    closed = InstalledRuntime(root)
    closed.close()
    closed._lock.acquire()
    child = os.fork()
    if child == 0:
        free = closed._lock.acquire(blocking=False) and runtime._lock.acquire(blocking=False)
        os._exit(0 if free else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_closed_one_says_so(root: Path) -> None:
    runtime = InstalledRuntime(root, check_every=0)
    with runtime.held() as held:
        runtime.close()
        held.predict(INPUTS[0])
    for ask in (lambda: runtime.predict(INPUTS[0]), lambda: runtime.manifest):
        with pytest.raises(UsageError, match="the runtime is closed"):
            ask()
    runtime.close()
    with pytest.raises(UsageError, match="nothing is installed there"):
        InstalledRuntime(root.parent)


def test_a_version_takes_the_place_of_the_one_before_it(tmp_path: Path) -> None:
    """The budget does not hold both: requests wait until those in progress are answered."""
    budget = MemoryBudget("2.5KB")  # a router and an expert
    install(tiny_bundle(tmp_path / "1", version=1), tmp_path / "root")
    with InstalledRuntime(tmp_path / "root", check_every=0, memory_budget=budget) as runtime:
        with runtime.held() as held:
            install(tiny_bundle(tmp_path / "2", version=2, seeds=(2, 3)), tmp_path / "root")
            answers: list[tuple[int, float]] = []

            def ask() -> None:
                answer = runtime.predict(INPUTS[0])
                answers.append((runtime.manifest.bundle_version, answer.score))

            threads = [threading.Thread(target=ask) for _ in range(3)]
            threads[0].start()
            while not runtime._exchanging:
                threading.Event().wait(0.01)
            for thread in threads[1:]:
                thread.start()
            threading.Event().wait(0.1)
            assert not answers
            assert held.predict(INPUTS[0]).expert == 0, "it goes on"
            assert budget.used <= budget.bytes
        for thread in threads:
            thread.join(30)
        with ExpertRuntime(tmp_path / "2") as alone:
            assert answers == [(2, alone.predict(INPUTS[0]).score)] * 3
        assert runtime.problem is None
        assert budget.used == 2000


def test_a_version_that_does_not_fit_at_all_leaves_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = MemoryBudget("2KB")
    install(tiny_bundle(tmp_path / "1", version=1), tmp_path / "root")
    with InstalledRuntime(tmp_path / "root", check_every=0, memory_budget=budget) as runtime:
        wanted = runtime.predict(INPUTS[0]).score
        large = tiny_bundle(tmp_path / "2", version=2, resident_bytes=1500)
        install(large, tmp_path / "root")
        with pytest.warns(RuntimeWarning, match="goes on answering"):
            assert runtime.predict(INPUTS[0]).score == wanted
        assert runtime.manifest.bundle_version == 1
        monkeypatch.setattr(installed, "_PATIENCE", 0.05)
        with runtime.held() as held:
            install(tiny_bundle(tmp_path / "3", version=3), tmp_path / "root")
            runtime._next_look = 0.0
            with pytest.warns(RuntimeWarning, match="does not hold two"):
                assert runtime.predict(INPUTS[0]).score == held.predict(INPUTS[0]).score == wanted


def test_a_version_that_a_limit_of_its_own_does_not_hold(tmp_path: Path) -> None:
    install(tiny_bundle(tmp_path / "1", version=1), tmp_path / "root")
    with InstalledRuntime(tmp_path / "root", check_every=0, memory_budget="2KB") as runtime:
        install(tiny_bundle(tmp_path / "2", version=2, resident_bytes=1500), tmp_path / "root")
        with pytest.warns(RuntimeWarning, match="memory budget"):
            runtime.predict(INPUTS[0])
        assert runtime.manifest.bundle_version == 1
