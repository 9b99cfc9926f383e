"""A task of another package that routes in two layers, several times: its answers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import (
    BundleError,
    DigestError,
    ManifestError,
    MemoryBudgetError,
    MissingPartError,
    ModelError,
    UsageError,
)
from edge_experts.format.manifest import expert_path, router_path
from edge_experts.format.manifest_parser import parse_manifest, read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.batch import Question
from tests.layered import (
    ANGLES,
    GATES,
    INPUTS,
    installed_plugin,
    layered_bundle,
    model,
    path_of,
    turn,
)

from ..many import together

pytestmark = pytest.mark.usefixtures("two_layers")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return layered_bundle(tmp_path / "turning.bundle")


def _close(answer: Any, example: np.ndarray) -> bool:
    state, experts = path_of(example)
    return np.allclose(answer.scores, state, atol=1e-5) and answer.experts == tuple(
        dict.fromkeys(experts)
    )


def test_every_way_of_asking_gives_the_states_of_plain_numpy(bundle: Path) -> None:
    with ExpertRuntime(bundle) as runtime:
        assert runtime.task.name == "two-layers"
        for answers in (
            [runtime.predict(example) for example in INPUTS],
            list(runtime.predict_many(INPUTS)),
            runtime.predict_batch(INPUTS),
        ):
            assert all(map(_close, answers, INPUTS))
            assert not any(answer.degraded for answer in answers)
        assert set(runtime.resident) == {0, 1, 2, 3}
        assert golden.check(runtime) == len(INPUTS)
        with pytest.raises(UsageError, match="use predict_batch"):
            runtime.predict_arrays(runtime.features.encode(INPUTS[0]))


def test_routers_count_in_the_budget_and_experts_leave_within_it(bundle: Path) -> None:
    with ExpertRuntime(bundle, memory_budget=4000) as runtime:
        for example in INPUTS:
            assert _close(runtime.predict(example), example)
            assert runtime.resident_bytes <= 4000
        assert len(runtime.resident) == 2  # of 1,000 bytes each, as each of the two routers
        assert runtime.counts.evictions > 0
    with ExpertRuntime(bundle, max_experts=1) as runtime:
        assert all(map(_close, runtime.predict_batch(INPUTS), INPUTS))
        # Each of 3 steps loads at most the 2 experts of each of 2 layers.
        assert runtime.counts.loads <= 3 * 2 * 2
    with pytest.raises(MemoryBudgetError):
        ExpertRuntime(bundle, memory_budget=2999)


def test_a_layer_of_which_no_expert_fits_is_refused_at_once(bundle: Path) -> None:
    with pytest.raises(MemoryBudgetError, match="expert 3 needs 8,000 bytes and only 3,000 are"):
        ExpertRuntime(bundle, memory_budget=5000, costs=[1000, 1000, 9000, 8000])
    with ExpertRuntime(bundle, memory_budget=5000, costs=[1000, 1000, 9000, 2000]) as runtime:
        assert {answer.degraded for answer in map(runtime.predict, INPUTS)} == {True}
        assert list(runtime.quarantined) == [2]


def test_the_tasks_policy_chooses_who_leaves(bundle: Path) -> None:
    with ExpertRuntime(bundle, max_experts=2) as runtime:
        slots = runtime.access
        for place in (0, 0, 0, 1):
            slots.free(slots.expert(place))
        slots.free(slots.expert(1))
        # 1 was used last, but less often than 0 and in the layer that needs room.
        assert set(runtime.resident) == {0, 1}
        slots.free(slots.expert(2))
        assert set(runtime.resident) == {0, 2}
        slots.free(slots.expert(3))
        assert set(runtime.resident) == {0, 3}


def test_an_expert_that_cannot_be_used_has_a_next_choice_in_its_layer(bundle: Path) -> None:
    path = bundle / expert_path(3)
    path.write_bytes(path.read_bytes()[:-1])
    with ExpertRuntime(bundle) as runtime:
        for example in INPUTS:
            answer = runtime.predict(example)
            needed = 3 in path_of(example)[1]
            assert answer.degraded == needed
            assert 3 not in answer.experts
            assert not needed or (answer.reason or "").startswith("expert 3: ")
        assert list(runtime.quarantined) == [3]
    with ExpertRuntime(bundle, strict=True) as runtime, pytest.raises(DigestError):
        runtime.predict_batch(INPUTS)


def test_where_no_expert_of_a_layer_can_be_used_none_of_another_layer_answers(bundle: Path) -> None:
    for place in (2, 3):
        (bundle / expert_path(place)).unlink()
    with ExpertRuntime(bundle) as runtime, pytest.raises(DigestError, match=r"experts/00[23]"):
        runtime.predict(INPUTS[0])


def test_several_picks_of_a_layer_are_mixed_by_their_own_part_of_the_gate(bundle: Path) -> None:
    mixed: list[Any] = []

    def mix(gate: np.ndarray | None, outputs: Sequence[Any]) -> Any:
        mixed.append((gate, np.array(outputs)))
        return outputs[0]

    arrays, gate = {"s": INPUTS[:1]}, np.array([0.25, 0.75], np.float32)
    with ExpertRuntime(bundle) as runtime:
        question = Question(arrays, gate, (3, 2), mix, runtime.access.layers[1].places.start)
        runtime.access.run([question])
        assert np.array_equal(question.output, mixed[0][1][0])
    assert mixed[0][0].tolist() == [0.75, 0.25]
    expected = [INPUTS[0] @ turn(ANGLES[1][1]), INPUTS[0] @ turn(ANGLES[1][0])]
    np.testing.assert_allclose(mixed[0][1], expected, atol=1e-5)
    assert question.picks == (3, 2)


@pytest.mark.parametrize("layer", [0, 1])
def test_every_router_is_checked_when_the_bundle_is_opened(bundle: Path, layer: int) -> None:
    path = bundle / router_path(layer)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DigestError, match=router_path(layer)):
        ExpertRuntime(bundle)
    path.unlink()
    with pytest.raises(DigestError, match=router_path(layer)):
        ExpertRuntime(bundle)


def test_a_router_of_another_input_or_size_is_refused(tmp_path: Path) -> None:
    from tests import tiny

    other = layered_bundle(tmp_path / "b", models={router_path(1): tiny.model(GATES[1])})
    ExpertRuntime(other).close()  # it takes the features' x, which is there too
    unknown = model(GATES[1]).replace(b"\x01\0\0\0s\0", b"\x01\0\0\0q\0")
    with pytest.raises(ModelError, match="input 'q' is not in its bundle, which has s, x"):
        ExpertRuntime(layered_bundle(tmp_path / "c", models={router_path(1): unknown}))
    with pytest.raises(ModelError, match="its output must have the shape"):
        ExpertRuntime(layered_bundle(tmp_path / "d", shares=(3, 1)))


def test_threads_do_not_mix_their_states(bundle: Path) -> None:
    for options in ({}, {"max_experts": 1}, {"max_experts": 2, "prefetch": True}):
        with ExpertRuntime(bundle, **options) as runtime:  # type: ignore[arg-type]

            def work(offset: int, runtime: ExpertRuntime = runtime) -> Callable[[], None]:
                def go() -> None:
                    for turn in range(30):
                        example = INPUTS[(turn + offset) % len(INPUTS)]
                        assert _close(runtime.predict(example), example)

                return go

            together([work(offset) for offset in range(3)])


def test_a_forked_child_gives_its_own_answers(bundle: Path) -> None:
    with ExpertRuntime(bundle, max_experts=2) as runtime:
        runtime.predict(INPUTS[0])
        child = os.fork()
        if not child:
            try:
                right = all(map(_close, map(runtime.predict, INPUTS), INPUTS))
                os._exit(0 if right and runtime.counts.loads > 0 else 1)
            except BaseException:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert _close(runtime.predict(INPUTS[1]), INPUTS[1])


def test_threads_of_a_forked_child_share_the_renewed_routers(bundle: Path) -> None:
    with ExpertRuntime(bundle) as runtime:
        first = runtime.models.routers
        runtime.after_fork()

        def ask() -> None:
            assert all(map(_close, runtime.predict_many(INPUTS), INPUTS))

        together([ask, ask, ask])
        assert len(runtime.models.routers) == 2
        assert not set(map(id, first)) & set(map(id, runtime.models.routers))


def test_a_closed_runtime_and_a_closed_child_refuse(bundle: Path) -> None:
    runtime = ExpertRuntime(bundle)
    runtime.close()
    with pytest.raises(UsageError, match="closed"):
        runtime.predict(INPUTS[0])
    runtime.after_fork()
    with pytest.raises(UsageError, match="closed"):
        runtime.predict_batch(INPUTS)


def test_an_observer_sees_every_routing(bundle: Path) -> None:
    seen: list[Any] = []
    with ExpertRuntime(bundle) as runtime:
        runtime.observer = lambda gate, output: seen.append((gate, output))
        runtime.predict(INPUTS[0])
    assert len(seen) == 6
    assert np.allclose(seen[0][0], INPUTS[0] @ GATES[0])


@pytest.mark.parametrize("steps", [0, 65, "3", None, True])
def test_the_task_refuses_settings_that_make_no_sense(tmp_path: Path, steps: Any) -> None:
    with pytest.raises(ManifestError, match="steps must be 1 to 64"):
        ExpertRuntime(layered_bundle(tmp_path / "odd.bundle", steps=steps))


def test_a_task_that_routes_once_refuses_layers(tmp_path: Path) -> None:
    from edge_experts.format.manifest import TaskSpec

    odd = layered_bundle(tmp_path / "odd.bundle", task_spec=TaskSpec("classification"))
    with pytest.raises(BundleError, match="layers"):
        ExpertRuntime(odd)


def test_the_manifest_tells_its_layers(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.format_version == "2.0"
    assert [places for _, places in manifest.routed] == [range(2), range(2, 4)]
    assert not manifest.asks_one
    assert manifest.asking == "in 2 layers of 2, 2, top-1 routing in each"
    again = parse_manifest(manifest.to_json().encode())
    assert again == manifest


def test_more_experts_than_a_layer_has_are_refused(bundle: Path) -> None:
    odd = replace(read_manifest(bundle), top_k=3)  # of four experts, two in each layer
    with pytest.raises(ManifestError, match="top_k must be at most the experts of each layer"):
        parse_manifest(odd.to_json().encode())


def test_without_the_package_the_bundle_says_what_is_missing(tmp_path: Path) -> None:
    bundle = layered_bundle(tmp_path / "turning.bundle")
    from edge_experts.registry import _points

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [place for place in sys.path if not _of_plugin(place)])
        _points.cache_clear()
        with pytest.raises(MissingPartError, match=r"'two-layers' in edge_experts\.tasks"):
            ExpertRuntime(bundle)
    _points.cache_clear()
    with installed_plugin(tmp_path / "again"):
        ExpertRuntime(bundle).close()
    shutil.rmtree(tmp_path / "again")


def _of_plugin(place: str) -> bool:
    return any(Path(place).glob("two_layers*"))
