"""Choosing recipes under a size: the knapsack against brute force, the search against the facts."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.compression import Compression
from edge_experts.errors import ThresholdError, UsageError
from edge_experts.format.archive import pack
from edge_experts.format.manifest import MANIFEST
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli
from ..conftest import TARGETS

Options = list[list[tuple[int, float]]]  # (size, loss) of each network's variants

networks = st.lists(
    st.lists(
        st.tuples(st.integers(1, 100_000), st.floats(0, 10, allow_nan=False)),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=4,
)


def _columns(options: Options) -> tuple[list[list[int]], list[list[float]]]:
    return [[size for size, _ in own] for own in options], [
        [loss for _, loss in own] for own in options
    ]


@given(options=networks, share=st.floats(0, 1))
def test_a_choice_fits_and_hardly_any_is_better(options: Options, share: float) -> None:
    from edge_experts.converters.auto.knapsack import solve

    sizes, losses = _columns(options)
    least, most = sum(map(min, sizes)), sum(map(max, sizes))
    budget = least + int(share * (most - least))
    picks = solve(sizes, losses).pick(budget)
    assert picks is not None
    taken = sum(own[pick] for own, pick in zip(sizes, picks, strict=True))
    loss = sum(own[pick] for own, pick in zip(losses, picks, strict=True))
    assert taken <= budget
    # Sizes are rounded up to cells: no choice that leaves their rounding free is better.
    rounding = len(sizes) * ((most - least) / 4096 + 1)
    for combination in itertools.product(*options):
        if sum(size for size, _ in combination) <= budget - rounding:
            assert loss <= sum(one for _, one in combination) + 1e-9


def test_a_size_below_the_smallest_has_no_choice() -> None:
    from edge_experts.converters.auto.knapsack import solve

    table = solve([[10, 20], [5, 6]], [[1.0, 0.0], [0.5, 0.0]])
    assert table.pick(14) is None
    assert table.pick(15) == [0, 0]
    assert table.pick(26) == [1, 1]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, sentiment_run: Path, cli: Cli) -> Any:
    """A search over a real run, by the command line."""
    import json

    folder = tmp_path_factory.mktemp("search")
    done = cli(
        *("convert", sentiment_run, "--out", folder / "b", "--quantization", "auto"),
        *("--frontier", folder / "f.png", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "f.png").read_bytes().startswith(b"\x89PNG")
    return folder / "b", json.loads(done.stdout)


def test_the_smallest_that_is_good_enough_is_chosen(searched: Any) -> None:
    bundle, said = searched
    chosen, frontier = said["search"]["chosen"], said["search"]["frontier"]
    sizes = [point["bytes"] for point in frontier]
    losses = [point["loss"] for point in frontier]
    assert sizes == sorted(sizes)
    assert losses == sorted(losses, reverse=True)
    assert chosen["bytes"] == _bytes(bundle)
    good = [
        point["bytes"]
        for point in frontier
        if 100 * (said["parity"]["keras_accuracy"] - point["accuracy"]) <= 0.5
    ]
    assert chosen["bytes"] == pytest.approx(min(good), rel=0.01)
    assert said["parity"]["deployed_accuracy"] == pytest.approx(chosen["accuracy"])
    manifest = read_manifest(bundle)
    recipes = manifest.provenance["recipes"]
    assert set(recipes) == {"router.tflite", *(entry.path for entry in manifest.experts)}
    assert sum(chosen["networks"].values()) == len(recipes)
    assert {point["uniform"] for point in said["search"]["uniform"]} >= {"float32", "int8"}


def _bytes(bundle: Path) -> int:
    listed = sum(entry.bytes for entry in read_manifest(bundle).files)
    return listed + (bundle / MANIFEST).stat().st_size


@pytest.mark.parametrize("compressed", [False, True])
def test_a_budget_is_kept_and_used(
    searched: Any, sentiment_run: Path, tmp_path: Path, compressed: bool
) -> None:
    from edge_experts.converters import convert

    uniform = {point["uniform"]: point for point in searched[1]["search"]["uniform"]}
    between = (uniform["int8"]["bytes"] + uniform["float16"]["bytes"]) // 2
    option = "size_budget_compressed" if compressed else "size_budget"
    made = convert(
        sentiment_run,
        tmp_path / "b",
        quantization="auto",
        compress=[Compression("pruning", epochs=1)] if compressed else (),
        **{option: between},
    )
    taken = pack(tmp_path / "b", tmp_path / "b.zip") if compressed else _bytes(tmp_path / "b")
    assert made.search is not None
    assert taken == made.search.chosen.size <= between
    assert made.search.chosen.loss <= uniform["int8"]["loss"] + 1e-3


def test_a_budget_that_cannot_be_met_says_what_could(sentiment_run: Path, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    with pytest.raises(ThresholdError, match=r"the smallest bundle has about [\d,]+ bytes on disk"):
        convert(sentiment_run, tmp_path / "b", quantization="auto", size_budget=50_000)
    assert not any(tmp_path.iterdir())


def test_summed_experts_are_chosen_too(make_run: Any, make_model: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    run = make_run(make_model(combine="sum"))
    made = convert(run, tmp_path / "b", quantization="auto", max_accuracy_drop=5)
    assert made.search is not None
    exact = {point.uniform: point for point in made.search.uniform}["float32"]
    assert exact.score == pytest.approx(made.parity.keras_accuracy)
    assert made.parity.accuracy_drop <= 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size_budget": 1000}, "a size budget needs quantization 'auto'"),
        (
            {"quantization": "auto", "size_budget": 1, "size_budget_compressed": 1},
            "size_budget or size_budget_compressed, not both",
        ),
        ({"quantization": "auto", "layout": "gated"}, "layout 'gated'"),
        ({"quantization": "auto", "io": "integer"}, "io 'integer' requires quantization int8"),
        ({"io": "integer", "quantization": "float16"}, "io 'integer' requires quantization int8"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    make_run: Any, make_model: Any, tmp_path: Path, options: Any, message: str
) -> None:
    from edge_experts.converters import convert

    with pytest.raises(UsageError, match=message):
        convert(make_run(make_model()), tmp_path / "b", **options)


def test_losses_of_variants_add_up() -> None:
    """What the search adds up is what the whole bundle has: experts do not meet."""
    from edge_experts.converters.tasks.classification import ClassificationConversion

    def loss(logits: np.ndarray, wanted: np.ndarray) -> float:
        return float(ClassificationConversion.losses(logits, wanted, targets, 1.0)[0].sum())

    logits = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, -1.0]])
    targets = np.array([0, 0, 1])
    parts = loss(logits[:1], targets[:1]) + loss(logits[1:], targets[1:])
    assert loss(logits, targets) == pytest.approx(parts)
    assert loss(logits[:0], targets[:0]) == 0.0


def test_a_budget_below_all_in_int8_takes_what_was_pruned(
    make_run: Any, make_model: Any, tmp_path: Path
) -> None:
    from edge_experts.converters import convert

    run = make_run(make_model())
    options: Any = {
        "quantization": "auto",
        "compress": [Compression("pruning", sparsity=0.9, epochs=1)],
        "max_accuracy_drop": 100,
    }
    free = convert(run, tmp_path / "free", size_budget_compressed=1_000_000, **options)
    assert free.search is not None
    sizes = {point.uniform: point.size for point in free.search.uniform}
    assert sizes["pruned 90% int8"] < sizes["int8"]
    between = (sizes["pruned 90% int8"] + sizes["int8"]) // 2
    made = convert(run, tmp_path / "b", size_budget_compressed=between, **options)
    assert made.search is not None
    assert made.packed_bytes == made.search.chosen.size <= between
    manifest = read_manifest(tmp_path / "b")
    recipes, networks = (manifest.provenance[name] for name in ("recipes", "networks"))
    pruned = {path for path, name in recipes.items() if name.startswith("pruned 90% ")}
    assert pruned
    assert "router.tflite" not in pruned
    plain = read_manifest(tmp_path / "free").provenance
    for path in networks:  # a file is known by the very network that it was made from
        same = recipes[path].startswith("pruned") == plain["recipes"][path].startswith("pruned")
        assert (networks[path] == plain["networks"][path]) == same


def test_what_the_interpreter_refuses_is_left_out(
    make_run: Any, make_model: Any, arrays: Any, tmp_path: Path
) -> None:
    """As it refuses int16 operators that the converter makes."""
    from edge_experts.converters.auto.choice import Choosing
    from edge_experts.converters.network_files import File, Workload
    from edge_experts.converters.process.cache import Cache
    from edge_experts.converters.process.order import Order
    from edge_experts.converters.sources import Sources

    work = Workload(Order(), arrays, arrays, networks=4)
    run, recipes, job = make_run(make_model()), ("float32", "int8"), tmp_path / "job"
    job.mkdir()
    with Sources(job, run, work, kept=Cache(None)) as sources:
        sources.plain.prepare()
        sources.plain.make([File(path, one) for path in sources.plain.paths for one in recipes])
        sources.plain.place(File("experts/001.tflite", "int8")).write_bytes(b"nothing like it" * 9)
        choosing = Choosing(sources.all, recipes, compressed=False)
        choosing.measure(job, arrays, TARGETS, 1.0)
    assert [point.uniform for point in choosing.uniform(0)] == ["float32"]
    assert list(choosing.refused.values()) == [["expert 1"]]
    assert all(reason.startswith("int8: ") for reason in choosing.refused)
    smallest = choosing.best(choosing.least(0), 0)
    assert smallest is not None
    assert smallest.counts() == {"float32": 1, "int8": 3}


def test_choices_asked_alone_answer_as_they_did_among_all(
    make_run: Any, make_model: Any, arrays: Any, tmp_path: Path
) -> None:
    from edge_experts.converters.auto.choice import Choosing
    from edge_experts.converters.network_files import File, Workload
    from edge_experts.converters.process.cache import Cache
    from edge_experts.converters.process.order import Order
    from edge_experts.converters.sources import Sources

    work = Workload(Order(), arrays, arrays, networks=4)
    run, recipes, job = make_run(make_model()), ("float32", "int8"), tmp_path / "job"
    job.mkdir()
    with Sources(job, run, work, kept=Cache(None)) as sources:
        sources.plain.prepare()
        sources.plain.make([File(path, one) for path in sources.plain.paths for one in recipes])
        choosing = Choosing(sources.all, recipes, compressed=False)
        choosing.measure(job, arrays, TARGETS, 1.0)
        points = [choosing.best(choosing.least(0), 0), *choosing.uniform(0)]
        chosen = [point for point in points if point is not None]
        right = choosing.right(chosen, job, arrays, TARGETS)
    assert right.shape == (3, len(TARGETS))
    assert right.mean(axis=1).tolist() == pytest.approx([point.score for point in chosen])


def test_a_paired_difference_counts_what_only_one_gets_right() -> None:
    from benchmarks.converting.auto_evaluation import paired

    ours = np.array([1, 1, 1, 0, 0] * 200, bool)
    theirs = np.array([1, 1, 0, 1, 0] * 200, bool)
    difference, spread = paired(ours, theirs)
    assert difference == 0.0
    assert spread == pytest.approx(100 * 1.96 * np.sqrt(400) / 1000)
    assert paired(ours, ours) == (0.0, 0.0)
    difference, spread = paired(ours | theirs, theirs)
    assert difference == pytest.approx(20.0)
    assert 0 < spread < difference
