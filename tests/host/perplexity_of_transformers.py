"""Perplexity of a GGUF checkpoint: by `transformers`, and by its bundle on the same tokens.

    python tests/host/perplexity_of_transformers.py reference FILE.gguf losses.npz
    python tests/host/perplexity_of_transformers.py compare BUNDLE losses.npz

The first needs torch, transformers and gguf, in an environment of their own: it writes the losses
of 24 windows of 256 tokens of this repository's docs. The second needs this project alone.
"""

# mypy: ignore-errors

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

_WINDOWS, _TOKENS = 24, 256


def reference(file: Path, out: Path) -> None:
    import torch
    import transformers

    options = {"gguf_file": file.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, dtype=torch.float32, **options
    ).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, **options)
    pages = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))
    tokens = tokenizer("\n".join(page.read_text("utf-8") for page in pages))["input_ids"]
    windows = np.array(tokens[: _WINDOWS * (_TOKENS + 1)]).reshape(_WINDOWS, _TOKENS + 1)
    losses = []
    with torch.no_grad():
        for window in torch.tensor(windows):
            logits = model(window[None, :-1]).logits[0]
            found = torch.nn.functional.cross_entropy(logits, window[1:], reduction="none")
            losses.append(found.numpy())
    np.savez_compressed(out, windows=windows, losses=np.array(losses))
    print(f"perplexity {np.exp(np.mean(losses)):.3f}")


def compare(bundle: Path, file: Path) -> None:
    from edge_experts.runtime import ExpertRuntime

    with np.load(file) as given:
        windows, wanted = given["windows"], given["losses"]
    with ExpertRuntime(bundle, context=_TOKENS) as runtime:
        found = np.array([runtime.task.losses(row.tolist(), runtime.access)[0] for row in windows])
    rise = 100 * np.expm1(found.mean() - wanted.mean())
    print(
        f"perplexity {np.exp(found.mean()):.3f}, by transformers {np.exp(wanted.mean()):.3f}: "
        f"{rise:+.3f} %; largest difference of a token's loss {np.abs(found - wanted).max():.2g}"
    )


if __name__ == "__main__":
    kind, first, second = sys.argv[1:]
    {"reference": reference, "compare": compare}[kind](Path(first), Path(second))
