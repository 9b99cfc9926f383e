"""Coverage-guided inputs for the manifest parser: nothing but the documented errors.

`pip install atheris` (wheels for Python 3.11 on x86_64), then
`python -m tests.attacks.fuzz_manifest --runs 1000000`. Each input is parsed as it is, and, where it
is JSON, once more with a digest that is right, since no search finds one.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge_experts"]):
    from edge_experts.errors import BundleError
    from edge_experts.format import drift_reference, strict_json  # noqa: F401
    from edge_experts.format.manifest import canonical_digest
    from edge_experts.format.manifest_parser import parse_manifest

from tests.attacks.manifests import (
    ODD,
    changed,
    contracted,
    manifest,
    odd_manifests,
    places,
    writing,
)

_STARTS = [json.loads(one.to_json()) for one in (manifest(), writing(), contracted())]
_TOKENS = (
    *_STARTS[0],
    *("path", "bytes", "sha256", "crc32", "resident_bytes", "kind", "config", "file", "edges"),
    *(
        "counts",
        "length",
        "beams",
        "null",
        "true",
        "1e308",
        "-0.0",
        "NaN",
        "\\\\ud800",
        "[[",
        "{}",
        "..",
        "/",
    ),
)


def one_input(raw: bytes) -> None:
    with contextlib.suppress(BundleError):
        parse_manifest(raw)
    try:
        content = json.loads(raw)
        if not isinstance(content, dict):
            return
        content["digest"] = canonical_digest(content)
        signed = json.dumps(content).encode()
    except (ValueError, RecursionError):
        return
    with contextlib.suppress(BundleError):
        parse_manifest(signed)


def mutated(raw: bytes, most: int, seed: int) -> bytes:
    """Every other time a value of the JSON is replaced; changed bytes alone seldom leave JSON."""
    dice = random.Random(seed)
    if dice.random() < 0.5:
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(raw)
            if isinstance(content, dict) and content:
                at = dice.choice(list(places(content))[1:])
                one: bytes = json.dumps(changed(content, at, dice.choice(ODD))).encode()
                if len(one) <= most:
                    return one
    found: bytes = atheris.Mutate(raw, most)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus, tokens = Path(folder) / "corpus", Path(folder) / "tokens"
        corpus.mkdir()
        for number, raw in enumerate(itertools.chain(*map(odd_manifests, _STARTS))):
            if len(raw) < 4096:
                (corpus / str(number)).write_bytes(raw)
        tokens.write_text("".join(f'"{token}"\n' for token in _TOKENS))
        atheris.Setup(
            [
                sys.argv[0],
                str(corpus),
                f"-dict={tokens}",
                f"-atheris_runs={given.runs}",
                f"-seed={given.seed}",
                "-rss_limit_mb=512",
                "-max_len=4096",
                "-timeout=20",
                "-print_final_stats=1",
            ],
            one_input,
            custom_mutator=mutated,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
