"""Growth by a new site: digits of dark ink on white paper, after white ones on black."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from edge_experts.converters import convert

from edge_experts.datasets import Dataset, Split
from edge_experts.errors import MissingExtraError
from edge_experts.runtime import ExpertRuntime
from edge_experts.training.extension.extension import extend

from .figures import Figure
from .transfer import digits, pretrained, trained_heads


def measure(folder: Path, images: int, epochs: int) -> list[Figure]:
    """Add a head for the new site, and measure accuracy and what an update sends."""
    old = digits()
    new = replace(
        old,
        train=_inverted(old.train),
        validation=_inverted(old.validation),
        test=_inverted(old.test),
    )
    run = trained_heads(folder, old, pretrained(folder, images, epochs), 1)
    base, grown = folder / "site-1.bundle", folder / "site-2.bundle"
    convert(run, base, quantization="int8", max_accuracy_drop=100, force=True)
    extend(run, new, folder / "site-2.run", force=True)
    convert(
        folder / "site-2.run",
        grown,
        quantization="int8",
        base=base,
        max_accuracy_drop=100,
        force=True,
    )
    kept = (base / "experts/000.tflite").read_bytes() == (grown / "experts/000.tflite").read_bytes()
    return [
        Figure("old site, before: accuracy", _accuracy(base, old)),
        Figure("old site, after: accuracy", _accuracy(grown, old)),
        Figure("new site, before: accuracy", _accuracy(base, new)),
        Figure("new site, after: accuracy", _accuracy(grown, new)),
        Figure("files of old heads that are unchanged", float(kept)),
        Figure("the new head", (grown / "experts/001.tflite").stat().st_size, "bytes"),
        Figure("the router's file", (grown / "router.tflite").stat().st_size, "bytes"),
        Figure("sent by rsync for the router's file", _sent(base, grown, "router.tflite"), "bytes"),
        Figure("sent by rsync for all models", _sent(base, grown, "*.tflite"), "bytes"),
        Figure("sent by rsync for the whole update", _sent(base, grown, "*"), "bytes"),
        Figure("sent by rsync without a base", _sent(None, grown, "*"), "bytes"),
    ]


def _inverted(split: Split) -> Split:
    return Split(255 - np.asarray(split.inputs), split.targets)


def _accuracy(bundle: Path, data: Dataset) -> float:
    with ExpertRuntime(bundle) as runtime:
        answers = runtime.predict_batch(list(data.test.inputs))
    labels = [data.labels[target] for target in data.test.targets]
    right = [a.label == label for a, label in zip(answers, labels, strict=True)]
    return float(np.mean(right))


def _sent(base: Path | None, bundle: Path, files: str) -> int:
    """Bytes that rsync sends, as `deploy` calls it, to a board that has the base."""
    if shutil.which("rsync") is None:
        raise MissingExtraError("rsync", "deploy")
    with tempfile.TemporaryDirectory() as board:
        options = ["-r", "-c", "-z", "--stats", "--no-whole-file", "--prune-empty-dirs"]
        options += ["--include=*/", f"--include={files}", "--exclude=*"]
        options += [] if base is None else [f"--link-dest={base.resolve()}"]
        done = subprocess.run(
            ["rsync", *options, f"{bundle}/", f"{board}/bundle/"],
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
    found = re.search(r"Total bytes sent: ([\d,]+)", done.stdout)
    assert found is not None, "rsync --stats tells the bytes"
    return int(found[1].replace(",", ""))
