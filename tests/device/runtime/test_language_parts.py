"""Parts of a language model on a device, each against its definition in plain Python."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts import ExpertRuntime
from edge_experts.errors import ManifestError, ModelError, UsageError
from edge_experts.format.bounded_read import open_regular
from edge_experts.format.limits import LIMITS
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.memory.least_frequent import LeastFrequent
from edge_experts.runtime.tasks.language_model import language_model_task
from edge_experts.runtime.tasks.language_model.continuation import Prompt
from edge_experts.runtime.tasks.language_model.embedding_rows import EmbeddingRows, packed_rows
from edge_experts.runtime.tasks.language_model.kv_cache import CachePool, KeyValueCache, Rotary
from edge_experts.runtime.tasks.language_model.network_settings import (
    NetworkSettings,
    read_settings,
)
from edge_experts.runtime.tasks.language_model.sampling import Sampler, Sampling
from edge_experts.runtime.tasks.language_model.text_stream import TextStream

SETTINGS = NetworkSettings(
    units=12,
    heads=4,
    key_heads=2,
    width=6,
    context=150,
    pieces=20,
    gate="sigmoid",
    rotary_base=100.0,
    embedding="int8",
    biases=((0.0,),),
    interpreters=(),
)


@given(
    st.text(alphabet="ab é日😀\n", max_size=30),
    st.lists(st.text(alphabet="ab é日", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_a_stream_of_bytes_is_the_text_before_the_first_stop(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    content = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    parts = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    stream = TextStream(stops)
    told = ""
    for part in parts:
        told += stream.push(part)
        assert told == stream.text
        assert text.startswith(told), "nothing that was told is taken back"
        if stream.stopped:
            break
    else:
        told += stream.push(b"", last=True)
    found = [text.find(stop) for stop in stops if stop in text]
    wanted = text
    if found:
        # With several stop strings, one that is complete earlier ends the text first.
        ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
        assert stream.stopped
        assert any(told == text[:place] for place in found)
        assert len(told) <= min(ends)
    else:
        assert told == wanted


def test_broken_bytes_become_replacement_characters() -> None:
    stream = TextStream(())
    assert stream.push(b"a\xe6\x97") == "a"
    assert stream.push(b"\xa5b\xff") == "日b\N{REPLACEMENT CHARACTER}"
    assert stream.push(b"\xe6") == ""
    assert stream.push(b"", last=True) == "\N{REPLACEMENT CHARACTER}"


def _attention(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mix the values up to the last token, with keys and values (tokens, key_heads, width)."""
    made = np.zeros((SETTINGS.heads, SETTINGS.width))
    for head in range(SETTINGS.heads):
        shared = head // (SETTINGS.heads // SETTINGS.key_heads)
        scores = keys[:, shared].astype(float) @ query[head] / math.sqrt(SETTINGS.width)
        shares = np.exp(scores - scores.max())
        made[head] = (shares / shares.sum()) @ values[:, shared]
    return made.ravel()


@pytest.mark.parametrize("chunks", [[150], [1] * 150, [63, 1, 1, 64, 21], [100, 50]])
def test_attention_is_that_of_the_definition(chunks: list[int]) -> None:
    random = np.random.default_rng(0)
    shapes = ((150, 4, 6), (150, 2, 6), (150, 2, 6))
    query, key, value = (random.normal(size=shape).astype(np.float32) for shape in shapes)
    new, cache = np.concatenate([key, value], axis=1), KeyValueCache(SETTINGS, 2, 150)
    first = 0
    for count in chunks:
        rows = slice(first, first + count)
        found = cache.attend(1, query[rows], new[rows], first)
        cache.tokens += [1] * count
        for row in range(count):
            end = first + row + 1
            wanted = _attention(query[end - 1], key[:end], value[:end])
            assert found[row] == pytest.approx(wanted, abs=1e-5)
        first += count


def test_values_of_a_failed_text_do_not_reach_the_next() -> None:
    cache = KeyValueCache(SETTINGS, 1, 150)
    bad = np.full((100, 4, 6), np.nan, np.float32)
    cache.attend(0, np.ones((100, 4, 6), np.float32), bad, 0)
    cache.tokens += range(100)
    pool = CachePool([cache])
    taken, known = pool.take([5, 6, 7])
    assert known == 0
    ones = np.ones((3, 4, 6), np.float32)
    found = taken.attend(0, ones, ones, 0)
    assert np.isfinite(found).all()


def test_rotation_turns_pairs_by_position_times_rate() -> None:
    heads = np.random.default_rng(0).normal(size=(3, 2, 6)).astype(np.float32)
    turned = heads.copy()
    Rotary(10, 6, 100.0).turn(turned, 4)
    for token in range(3):
        for pair in range(3):
            angle = (4 + token) * 100.0 ** (-2 * pair / 6)
            left, right = heads[token, :, pair], heads[token, :, pair + 3]
            for place, wanted in (
                (pair, left * math.cos(angle) - right * math.sin(angle)),
                (pair + 3, right * math.cos(angle) + left * math.sin(angle)),
            ):
                assert turned[token, :, place] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_embedding_rows_are_read_as_they_were_packed(tmp_path: Path, kind: str) -> None:
    table = np.random.default_rng(0).normal(size=(20, 12)).astype(np.float32)
    table[3] = 0
    path = tmp_path / "embedding.bin"
    path.write_bytes(packed_rows(table, kind))
    file = open_regular(path)
    assert file is not None
    embedding = EmbeddingRows(file, "it", 20, 12, kind)
    found = embedding.rows([3, 19, 0, 3])
    step = np.abs(table).max(axis=1, keepdims=True)[[3, 19, 0, 3]] / 127
    allowed = step / 2 + 1e-7 if kind == "int8" else 0
    assert (np.abs(found - table[[3, 19, 0, 3]]) <= allowed).all()
    with pytest.raises(ModelError, match="must have 21 rows"):
        EmbeddingRows(file, "it", 21, 12, kind)
    os.truncate(path, 10)
    with pytest.raises(ModelError, match="became shorter"):
        embedding.rows([19])


def test_a_draw_has_the_probabilities_of_the_logits() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    sampler = Sampler(Sampling(temperature=1.0, seed=1))
    counts = Counter(sampler.choose(logits, []) for _ in range(4000))
    for token, share in enumerate([0.5, 0.3, 0.15, 0.05]):
        assert counts[token] / 4000 == pytest.approx(share, abs=0.03)
    sampler = Sampler(Sampling(temperature=1.0, top_p=0.75, seed=1))
    assert {sampler.choose(logits, []) for _ in range(400)} == {0, 1}
    sampler = Sampler(Sampling(repetition_penalty=100.0))
    assert sampler.choose(np.array([2.0, 1.0, -1.0], np.float32), [0]) == 1
    for odd in (np.full(4, np.nan), np.array([np.inf, 1, 2, 3]), np.full(4, -np.inf)):
        assert 0 <= Sampler(Sampling(temperature=1.0)).choose(odd.astype(np.float32), []) < 4


def test_the_policy_keeps_the_most_frequent_experts_of_every_layer() -> None:
    layers = [range(8), range(8, 16)]
    policy, resident = LeastFrequent(layers), list[int]()
    random = np.random.default_rng(0)
    hits = [0, 0]
    for step in range(400):
        for number, places in enumerate(layers):
            wanted = places[min(7, int(random.exponential(1.5)))]
            policy.used(wanted)
            if wanted in resident:
                hits[number] += step >= 200
                continue
            if len(resident) == 6:
                resident.remove(policy.victim(tuple(resident), wanted))
            resident.append(wanted)
    assert min(hits) > 110, "a global least recently used order would hit about a third"
    assert Counter(one // 8 for one in resident) == {0: 3, 1: 3}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("units", "heads", "context") for value in (0, -1, 1.5, "x")],
        ("units", 2**40),
        ("heads", 3),
        ("width", 7),
        *[("gate", value) for value in ("relu", None, 1)],
        *[("rotary_base", value) for value in (0, "x", 1e300, None)],
        ("embedding", "int3"),
        *[("biases", value) for value in ([], [[0.0]], [["x"] * 4] * 2, [[1e300] * 4] * 2, None)],
        ("interpreters", "tflite_runtime"),
    ],
)
def test_a_hostile_setting_is_refused_by_name(language_bundle: Path, name: str, value: Any) -> None:
    manifest = read_manifest(language_bundle)
    spec = manifest.task_spec
    assert spec is not None
    read_settings(manifest)
    changed = replace(manifest, task_spec=replace(spec, config={**spec.config, name: value}))
    with pytest.raises(ManifestError, match=r"task_spec|biases|layers"):
        read_settings(changed)


def test_sizes_at_the_limit_are_taken_and_those_beyond_it_refused(language_bundle: Path) -> None:
    manifest = read_manifest(language_bundle)
    spec = manifest.task_spec
    assert spec is not None
    for name in ("units", "pieces", "context", "width"):
        at_limit = {**spec.config, name: LIMITS.network_size}
        read_settings(replace(manifest, task_spec=replace(spec, config=at_limit)))
        beyond = {**spec.config, name: LIMITS.network_size + 1}
        with pytest.raises(ManifestError, match=name):
            read_settings(replace(manifest, task_spec=replace(spec, config=beyond)))
    Prompt("", LIMITS.written_tokens, ("x",) * LIMITS.stop_strings)
    with pytest.raises(UsageError, match="max_tokens"):
        Prompt("", LIMITS.written_tokens + 1)
    with pytest.raises(UsageError, match="stop must be at most 16"):
        Prompt("", 1, ("x",) * (LIMITS.stop_strings + 1))


def test_keys_and_values_beyond_the_limit_are_refused_before_they_are_allocated(
    language_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExpertRuntime(language_bundle) as runtime:
        task = runtime.task
    each = 2 * 2 * 2 * 8 * 4 * 96  # keys and values, layers, key heads, width, bytes, tokens
    monkeypatch.setattr(language_model_task, "LIMITS", replace(LIMITS, cache_bytes=3 * each))
    task.reserve(None, 3)
    with pytest.raises(UsageError, match="give a smaller context"):
        task.reserve(None, 4)
    task.reserve(48, 6)


def test_missing_dense_parts_and_layers_are_refused(language_bundle: Path) -> None:
    manifest = read_manifest(language_bundle)
    with pytest.raises(ManifestError, match="dense: must list the parts of 2 layers"):
        read_settings(replace(manifest, dense=manifest.dense[1:]))
    with pytest.raises(ManifestError, match="layers must not be empty"):
        read_settings(replace(manifest, layers=()))
