"""Conversion of a checkpoint of 1.33 billion random parameters: time and memory.

    python -m tests.host.random_granite FOLDER [--quantization int8]

writes a checkpoint with the shape of granite-3.0-1b-a400m (2.7 GB) and its bundle to FOLDER, and
prints seconds, and the largest anonymous memory of the conversion with its child processes.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests import checkpoints

_SETTINGS = {
    "rms_norm_eps": 1e-6,
    "embedding_multiplier": 12.0,
    "attention_multiplier": 0.015625,
    "residual_multiplier": 0.22,
    "logits_scaling": 6.0,
    "eos_token_id": 1,
}


def write(folder: Path) -> Path:
    """Write the checkpoint, with the tokenizer of the tests."""
    folder.mkdir(parents=True, exist_ok=True)
    known = json.loads((checkpoints.FOLDER.parent / "published_checkpoints.json").read_text())
    config = {**known["granite-3.0-1b-a400m"], **_SETTINGS}
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copyfile(checkpoints.FOLDER / "tokenizer.json", folder / "tokenizer.json")
    shapes, place, head = dict(_shapes(config)), 0, {}
    for name, shape in shapes.items():
        end = place + 2 * math.prod(shape)
        head[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [place, end]}
        place = end
    random = np.random.default_rng(0)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(checkpoints.header(head))
        for shape in shapes.values():
            values = np.ones(shape, np.float32)
            if len(shape) > 1:
                values = random.standard_normal(shape, np.float32) / np.float32(shape[-1] ** 0.5)
            file.write((values.view(np.uint32) >> 16).astype("<u2").tobytes())
    return folder


def _shapes(config: dict[str, int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    units, inner, experts = (
        config[name] for name in ("hidden_size", "intermediate_size", "num_local_experts")
    )
    keys = units // config["num_attention_heads"] * config["num_key_value_heads"]
    yield "model.embed_tokens.weight", (config["vocab_size"], units)
    yield "model.norm.weight", (units,)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        yield f"{at}input_layernorm.weight", (units,)
        yield f"{at}post_attention_layernorm.weight", (units,)
        for name, rows in (("q", units), ("k", keys), ("v", keys), ("o", units)):
            yield f"{at}self_attn.{name}_proj.weight", (rows, units)
        moe = f"{at}block_sparse_moe."
        yield f"{moe}router.layer.weight", (experts, units)
        yield f"{moe}input_linear.weight", (experts, 2 * inner, units)
        yield f"{moe}output_linear.weight", (experts, units, inner)


def _anonymous(process: int) -> int:
    """Return the anonymous memory of a process and its children, in kilobytes."""
    total = 0
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                total += int(line.split()[1])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it ended
        return total
    return total + sum(_anonymous(int(child)) for child in children)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quantization", default="int8")
    asked = parser.parse_args()
    source, start, peak = write(asked.folder / "granite"), time.monotonic(), 0
    words = ["convert", source, "--out", asked.folder / "granite.bundle", "--force"]
    command = [sys.executable, "-m", "edge_experts", *map(str, words)]
    with subprocess.Popen([*command, "--quantization", asked.quantization]) as process:
        while process.poll() is None:
            peak = max(peak, _anonymous(process.pid))
            time.sleep(0.2)
    print(
        f"exit code {process.returncode}, {time.monotonic() - start:.0f} seconds, "
        f"at most {peak / 1000:,.0f} MB of anonymous memory"
    )


if __name__ == "__main__":
    main()
