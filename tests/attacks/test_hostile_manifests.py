"""Hostile manifests whose digest is right: the documented errors, and bounded memory."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.cli.device.inspect import inspect
from edge_experts.errors import BundleError, DigestError, ManifestError, MemoryBudgetError
from edge_experts.format.limits import LIMITS
from edge_experts.format.manifest import MANIFEST, FileEntry, expert_path
from edge_experts.format.manifest_parser import parse_manifest, read_manifest

from .bundles import rewritten, use
from .manifests import ODD, changed, contracted, manifest, odd_manifests, places, signed, writing

MOST = 150_000_000  # bytes that a hostile manifest of 4 MB may make Python take, for a moment
CONTENT: dict[str, Any] = json.loads(manifest().to_json())
WRITING: dict[str, Any] = json.loads(writing().to_json())
CONTRACTED: dict[str, Any] = json.loads(contracted().to_json())
PLACES = [at for at in places({**CONTENT, **WRITING}) if at and at != ("digest",)]


@contextlib.contextmanager
def bounded(most: int = MOST) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def _refused(raw: bytes) -> str:
    try:
        parse_manifest(raw)
    except BundleError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "start", [CONTENT, WRITING, CONTRACTED], ids=["choosing", "writing", "contracted"]
)
def test_every_field_with_every_odd_value_is_read_or_refused(start: dict[str, Any]) -> None:
    read = 0
    for raw in odd_manifests(dict(start)):
        refused = _refused(raw)
        assert len(refused) < 1000
        refused.encode()  # it can be printed
        read += not refused
    assert read > 100, "what is unknown or harmless is read"


def test_every_field_with_every_odd_value_is_used_or_refused(tiny: Path) -> None:
    start = json.loads((tiny / MANIFEST).read_text())
    used = 0
    for raw in odd_manifests(start):
        (tiny / MANIFEST).write_bytes(raw)
        with contextlib.suppress(BundleError):
            used += use(tiny) > 0
    assert used > 100


@pytest.mark.parametrize("name", ["parity", "changes", "structures", "data", "test_accuracy"])
def test_whatever_a_manifest_tells_is_shown_or_refused(
    tiny: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told: dict[str, Any] = {
        "parity": {"examples": 3, "equal_labels": 1.0, "experts": [{"expert": 0}]},
        "changes": {"base_version": 1, "added": [1], "kept": [0], "router": "new"},
        "structures": [
            {
                "files": ["router.tflite"],
                "operators": {"ADD": 1},
                "uses": {"ADD": 2},
                "weights_bytes": {"int8": 5},
                "tensors": 3,
                "metadata_bytes": 7,
                "inputs": [{"name": "x", "type": "int8", "shape": [1]}],
                "outputs": [],
                "weights": [{"layer": "a", "operator": "ADD", "type": "int8", "bytes": 5}],
            }
        ],
    }
    start = json.loads((tiny / MANIFEST).read_text())
    start["provenance"][name] = told.get(name, 1)
    shown = 0
    for at in places(start):
        if at[:2] != ("provenance", name):
            continue
        for value in ODD:
            content = changed(start, at, value)
            content.pop("digest")
            (tiny / MANIFEST).write_bytes(signed(content))
            with contextlib.suppress(BundleError):
                inspect(tiny)
                inspect(tiny, json=True)
                shown += 1
            assert "\x1b" not in capsys.readouterr().out
    assert shown > 5


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([one for one in ODD if not isinstance(one, list | dict)])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["path", "bytes", "edges"]), inner)
    ),
    max_leaves=10,
)


@given(
    st.sampled_from([CONTENT, WRITING]),
    st.lists(st.tuples(st.sampled_from(PLACES), _JSON), min_size=1, max_size=3),
)
def test_any_values_in_any_places_are_read_or_refused(
    content: dict[str, Any], changes: list[tuple[Any, Any]]
) -> None:
    for at, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # a change took its place away
            content = changed(content, at, value)
    content.pop("digest", None)
    with contextlib.suppress(BundleError):
        found = parse_manifest(signed(content))
        assert parse_manifest(found.to_json().encode()) == found


_NAMES = ("de", "de/a", "de/b", "fr", "fr/a", "de/", "/a", "/", "de/a/b")


@given(
    labels=st.lists(st.sampled_from(_NAMES), min_size=1, max_size=4, unique=True),
    experts=st.integers(1, 4),
    routed=st.booleans(),
    odd=st.sampled_from([{}, {}, {}, {"second_below": 0.5}, {"top_k": 2}, {"combine": "sum"}]),
)
def test_experts_that_write_are_one_or_have_names_and_a_router_where_it_chooses(
    labels: list[str], experts: int, routed: bool, odd: dict[str, Any]
) -> None:
    files = [FileEntry.of(expert_path(index), b"") for index in range(experts)]
    router = manifest().router if routed else None
    wanted = replace(writing(), labels=tuple(labels), experts=tuple(files), router=router, **odd)
    choice = experts > len({label.split("/")[0] for label in labels})
    allowed = experts in (1, len(labels)) and routed == choice
    if allowed and not odd:
        found = parse_manifest(wanted.to_json().encode())
        assert found == wanted
        assert found.by_name == (experts > 1)
        assert found.asks_one
    else:
        with pytest.raises(ManifestError):
            parse_manifest(wanted.to_json().encode())


@pytest.mark.parametrize("experts", [1, 2])
def test_experts_that_write_need_pieces_for_their_names(tiny: Path, experts: int) -> None:
    def change(content: dict[str, Any]) -> None:
        names = {"labels": ["de", "fr"], "router": None, "generation": {"length": 8, "beams": 1}}
        content |= {**names, "experts": content["experts"][:experts]}

    rewritten(tiny, change)
    with pytest.raises(BundleError, match="whose targets are its labels"):
        use(tiny)


@given(st.binary())
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(BundleError):
        parse_manifest(raw)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("[" * 1_900_000 + "]" * 1_900_000, id="nesting"),
        pytest.param("[" + "[]," * 1_300_000 + "0]", id="lists"),
        pytest.param("[" + "{}," * 399_000 + "0]", id="objects"),
        pytest.param("[" + "0.5," * 399_000 + "0]", id="numbers"),
        pytest.param("[" + '"",' * 399_000 + "0]", id="texts"),
        pytest.param("{" + ",".join(f'"{n}":[]' for n in range(190_000)) + "}", id="keys"),
        pytest.param("1" * 3_900_000, id="digits"),
        pytest.param('"' + "\U0001f600" * 900_000 + '"', id="characters"),
        pytest.param('"' + r"\u0001" * 600_000 + '"', id="escapes"),
    ],
)
def test_a_small_manifest_does_not_become_large_in_memory(value: str) -> None:
    raw = json.dumps(changed(CONTENT, ("provenance", "seed"), "@")).replace('"@"', value).encode()
    assert len(raw) <= LIMITS.manifest_bytes
    with bounded(), contextlib.suppress(BundleError):
        parse_manifest(raw)


def test_any_depth_is_refused_in_words_whatever_the_stack() -> None:
    # Near the interpreter's own limit, one function or another runs out of it first.
    for depth in range(20, sys.getrecursionlimit() + 50, 7):
        raw = json.dumps(changed(CONTENT, ("provenance", "seed"), "@"))
        raw = raw.replace('"@"', "[" * depth + "]" * depth)
        with pytest.raises(ManifestError):
            parse_manifest(raw.encode())


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**53])
def test_a_file_that_claims_to_be_large_takes_no_memory(tiny: Path, size: int) -> None:
    rewritten(tiny, lambda content: content["router"].update(bytes=size))
    with bounded(20_000_000), pytest.raises((DigestError, ManifestError)):
        use(tiny)


def test_a_hostile_manifest_opens_within_a_limit_of_the_system(tiny: Path) -> None:
    rewritten(tiny, lambda content: content["router"].update(bytes=2**31 - 1))
    code = (
        "import resource, sys; from tests.attacks.bundles import use; from pathlib import Path\n"
        "from edge_experts.errors import DigestError\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 300_000_000,) * 2)\n"
        "try: use(Path(sys.argv[1]))\n"
        "except DigestError: print('refused')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "refused\n", done.stderr


@pytest.mark.parametrize("name", [MANIFEST, "router.tflite", "golden.npz"])
def test_a_pipe_in_a_files_place_is_no_file(tiny: Path, name: str) -> None:
    (tiny / name).unlink()
    os.mkfifo(tiny / name)
    with pytest.raises(BundleError, match=r"has no manifest|missing"):
        use(tiny)


@pytest.mark.parametrize("name", [MANIFEST, "router.tflite", "golden.npz"])
def test_a_folder_in_a_files_place_is_no_file(tiny: Path, name: str) -> None:
    (tiny / name).unlink()
    (tiny / name).mkdir()
    with pytest.raises(BundleError, match=r"has no manifest|missing"):
        use(tiny)


def test_links_stay_inside_and_end(tiny: Path, tmp_path: Path) -> None:
    router = tiny / "router.tflite"
    router.rename(tiny / "elsewhere")
    router.symlink_to("elsewhere")
    use(tiny)
    router.unlink()
    router.symlink_to("router.tflite")
    with pytest.raises(DigestError, match="leads out"):
        use(tiny)
    router.unlink()
    router.symlink_to("/dev/zero")
    with pytest.raises(DigestError, match="leads out"):
        use(tiny)
    router.unlink()
    (tiny / "elsewhere").rename(router)
    (tiny / "experts").rename(tmp_path / "experts")
    (tiny / "experts").symlink_to(tmp_path / "experts")
    with pytest.raises(DigestError, match="leads out"):
        use(tiny)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("experts/A.tflite", "experts/a.tflite"),  # one file on a card formatted as FAT
        ("router.tflite", "router.tflite/000.tflite"),
        ("a/b/c", "A"),
    ],
)
def test_paths_that_are_one_file_are_refused(first: str, second: str) -> None:
    content = changed(CONTENT, ("experts", 0, "path"), first)
    content = changed(content, ("experts", 1, "path"), second)
    content.pop("digest")
    with pytest.raises(ManifestError, match="twice"):
        parse_manifest(signed(content))


def test_labels_that_look_alike_because_of_their_spelling_are_one() -> None:
    content = changed(CONTENT, ("labels",), ["caf\u00e9", "cafe\u0301"])
    content.pop("digest")
    with pytest.raises(ManifestError, match="different texts"):
        parse_manifest(signed(content))


def test_a_budget_is_refused_where_costs_are_absurd(tiny: Path) -> None:
    from edge_experts import ExpertRuntime

    rewritten(tiny, lambda content: content["experts"][0].update(resident_bytes=2**53))
    with pytest.raises(MemoryBudgetError):
        ExpertRuntime(tiny, memory_budget=10**9, strict=True)


def test_a_manifest_that_may_not_be_read_is_the_machines_fault(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.errors import MachineError

    def refused(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(MachineError, match=r"manifest\.json: Permission denied"):
        read_manifest(tiny)
