"""Perplexity of a checkpoint by `transformers`, on the tokens that a program of ours has written.

    pip install torch transformers accelerate gguf
    python -m benchmarks perplexity smol.bundle --ids tokens.jsonl
    python tests/data/transformers_perplexity.py SmolLM2-135M-Instruct.Q4_1.gguf tokens.jsonl

The first and the last line need an environment of their own: torch does not belong to this project.
A GGUF file is dequantized to float32. Prints texts, tokens and perplexity.
"""

# mypy: ignore-errors

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


def main(checkpoint: Path, tokens: Path) -> None:
    if checkpoint.suffix == ".gguf":
        where, more = checkpoint.parent, {"gguf_file": checkpoint.name}
    else:
        where, more = checkpoint, {}
    model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **more)
    texts = [json.loads(line) for line in tokens.read_text(encoding="utf-8").splitlines()]
    nats = count = 0
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([text])
            found = torch.log_softmax(model(ids).logits[0, :-1].double(), -1)
            nats -= float(found.gather(1, ids[0, 1:, None]).sum())
            count += len(text) - 1
    print(f"{len(texts)} texts, {count} tokens, perplexity {math.exp(nats / count):.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
