"""Mutated headers, indexes and configurations of checkpoints: only the documented errors.

    python -m tests.attacks.checkpoint_mutations --runs 200000 [--seed 0]

prints how many were refused and how many still described a checkpoint, and the largest memory.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edge_experts.converters.checkpoints.checkpoint_source import open_checkpoint
from edge_experts.converters.checkpoints.file_plan import plan_files
from edge_experts.converters.checkpoints.gguf_file import read_gguf
from edge_experts.converters.checkpoints.model_config import parse_config
from edge_experts.converters.checkpoints.tensor_index import INDEX, WHOLE, read_tensors

from edge_experts.errors import CheckpointError
from tests import checkpoints

# What is written over numbers, names and punctuation.
_PIECES = (
    *(b"0", b"-1", b"1e9", b"99999999999999999999", b"1.5", b"null", b"true", b"[]", b"{}", b'""'),
    *(b'"F64"', b'"BF16"', b'"U8"', b'"\\u0000"', b"[[[[", b"}", b"]", b",", b":", b'"', b"\xff"),
    *(b"2147483648", b"9007199254740993", b"NaN", b"Infinity", b'"../../x.safetensors"'),
)


def mutated(content: bytes, draw: random.Random) -> bytes:
    """Change a few places of a content: bits, deletions, repetitions, other values."""
    made = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        if not made:
            break
        place = draw.randrange(len(made))
        kind = draw.randrange(5)
        if kind == 0:
            made[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del made[place : place + draw.randint(1, 8)]
        elif kind == 2:
            made[place:place] = made[place : place + draw.randint(1, 40)]
        elif kind == 3:
            made[place:place] = draw.choice(_PIECES)
        else:
            made[place : place + draw.randint(1, 6)] = draw.choice(_PIECES)
    return bytes(made)


def mutations(folder: Path) -> dict[str, Callable[[random.Random], None]]:
    """Return by name what reads a mutated part of small checkpoints; may raise CheckpointError.

    Args:
        folder: an empty one.
    """
    mixed = checkpoints.FOLDER / "qwen2-moe-mixed"
    whole = (mixed / WHOLE).read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    config = (mixed / "config.json").read_bytes()
    tensors = read_tensors(mixed)
    sharded = checkpoints.copied("llama-sharded", folder / "sharded")
    index = (sharded / INDEX).read_bytes()
    single = folder / "single"
    single.mkdir()

    def of_header(draw: random.Random) -> None:
        head = mutated(whole[8:end], draw)
        (single / WHOLE).write_bytes(len(head).to_bytes(8, "little") + head + whole[end:])
        plan_files(parse_config(config, mixed / "config.json"), read_tensors(single))

    def of_file(draw: random.Random) -> None:
        (single / WHOLE).write_bytes(mutated(whole[: end + 64], draw) + whole[end + 64 :])
        plan_files(parse_config(config, mixed / "config.json"), read_tensors(single))

    def of_index(draw: random.Random) -> None:
        (sharded / INDEX).write_bytes(mutated(index, draw))
        read_tensors(sharded)

    def of_config(draw: random.Random) -> None:
        plan_files(parse_config(mutated(config, draw), mixed / "config.json"), tensors)

    gguf = (checkpoints.FOLDER.parent / "gguf" / "small.gguf").read_bytes()
    head = next(iter(read_gguf(checkpoints.FOLDER.parent / "gguf" / "small.gguf").tensors.values()))

    def of_gguf(draw: random.Random) -> None:
        path = folder / "small.gguf"
        path.write_bytes(mutated(gguf[: head.begin], draw) + gguf[head.begin :])
        source = open_checkpoint(path)
        plan_files(source.config, source.tensors)

    return {
        "header": of_header,
        "file": of_file,
        "index": of_index,
        "config": of_config,
        "gguf": of_gguf,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    draw, counts = random.Random(asked.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        parts = mutations(Path(folder))
        for run in range(asked.runs):
            name = list(parts)[run % len(parts)]
            try:
                parts[name](draw)
            except CheckpointError:
                counts[f"{name} refused"] += 1
            else:
                counts[f"{name} accepted"] += 1
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**dict(sorted(counts.items())), "peak_resident_bytes": largest}, indent=1))


if __name__ == "__main__":
    main()
