"""Logits of a language model on two machines, compared.

`python -m edge_experts.benchmarking.tasks.logit_agreement BUNDLE --data help --out FILE.npz`, then
on the other machine `--check FILE.npz`.

The host writes the logits of some texts, token by token as they stand there; the board computes
them anew and compares. Texts that are written freely would differ after the first near tie.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...errors import BundleError, UsageError
from ...format.atomic import write_whole
from ...format.manifest_parser import read_manifest
from ...format.npz import npz, plain_arrays
from ...progress import Progress
from ...runtime import ExpertRuntime
from ...runtime.tasks.language_model import LanguageModel

_TOKENS = 32  # of each text


@dataclass(frozen=True)
class OtherToken:
    """A token whose most probable successor is another one on the other machine.

    Attributes:
        margin: difference of the two successors' logits, as a share of the largest logit.
    """

    text: int
    place: int
    margin: float


@dataclass(frozen=True)
class LogitAgreement:
    """Comparison of two machines.

    Attributes:
        tokens: number of compared tokens.
        largest_logit: largest difference of a logit, as a share of the largest logit.
        other_tokens: tokens with another most probable successor.
        loss: difference of the losses, nats a token.
        is_exact: True if the files compute in float32. A rounding in the last bit may change a step
            of a quantized number, and with it the expert that a router picks.
    """

    texts: int
    tokens: int
    largest_logit: float
    other_tokens: list[OtherToken]
    loss: float
    is_exact: bool


def logits(bundle: Path, tokens: np.ndarray) -> np.ndarray:
    """Compute the logits after each token, (texts, tokens, pieces) float32.

    Args:
        tokens: (texts, tokens), each with those that begin a text first.
    """
    found = []
    with (
        ExpertRuntime(bundle, strict=True) as runtime,
        Progress("Texts", len(tokens)) as progress,
    ):
        task = runtime.task
        if not isinstance(task, LanguageModel):
            raise UsageError(f"{bundle}: is not a language model")
        for row in tokens.tolist():
            found.append(task.logits(row, runtime.access))
            progress.step()
    return np.array(found)


def compare(bundle: Path, stored: Path) -> LogitAgreement:
    """Compare this machine's logits with the file.

    Raises:
        BundleError: the file was made for another bundle, or is not such a file.
    """
    try:
        arrays = plain_arrays(stored.read_bytes())
        tokens, wanted, digest = (arrays[name] for name in ("tokens", "logits", "digest"))
    except (ValueError, KeyError) as error:
        raise BundleError(f"{stored}: not a file of logits: {error}") from None
    if digest.tobytes() != _digest(bundle):
        raise BundleError(f"{stored}: was made for another bundle")
    made, largest = logits(bundle, tokens), float(np.abs(wanted).max())
    best, others = wanted.argmax(axis=2), made.argmax(axis=2)
    apart = [
        OtherToken(
            int(text),
            int(place),
            float(wanted[text, place, best[text, place]] - wanted[text, place, others[text, place]])
            / largest,
        )
        for text, place in zip(*np.nonzero(best != others), strict=True)
    ]
    return LogitAgreement(
        texts=len(tokens),
        tokens=tokens.size,
        largest_logit=float(np.abs(made - wanted).max()) / largest,
        other_tokens=apart,
        loss=abs(_loss(made, tokens) - _loss(wanted, tokens)),
        is_exact=read_manifest(bundle).provenance.get("quantization") == "float32",
    )


def _loss(found: np.ndarray, tokens: np.ndarray) -> float:
    wide = found[:, :-1].astype(np.float64)
    wide -= wide.max(axis=2, keepdims=True)
    right = np.take_along_axis(wide, tokens[:, 1:, None], axis=2)[..., 0]
    return float((np.log(np.exp(wide).sum(axis=2)) - right).mean())


def _digest(bundle: Path) -> bytes:
    return read_manifest(bundle).digest.encode("ascii")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", help="the host's part: beginnings of whose test documents")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--out", type=Path, help="where to, an .npz file")
    parser.add_argument("--check", type=Path, help="the board's part: the file to compare with")
    asked = parser.parse_args(arguments)
    if asked.check is not None:
        found = compare(asked.bundle, asked.check)
        print(json.dumps({"schema_version": "1.0", **asdict(found)}, indent=2))
        return
    if asked.data is None or asked.out is None:
        parser.error("give --data and --out to make a file, or --check to compare with one")
    from ...datasets import load

    with ExpertRuntime(asked.bundle) as runtime:
        task = runtime.task
        assert isinstance(task, LanguageModel)
        dataset = load(asked.data, 0, task.name)
        vocabulary = task.vocabulary
        rows = [
            [*vocabulary.start, *vocabulary.tokens(str(text))][:_TOKENS]
            for text in dataset.test.inputs
        ]
    tokens = np.array([row for row in rows if len(row) == _TOKENS][: asked.count], np.int32)
    made = {"tokens": tokens, "logits": logits(asked.bundle, tokens)}
    digest = np.frombuffer(_digest(asked.bundle), np.uint8)
    write_whole(asked.out, npz(**made, digest=digest))
    print(f"{asked.out}: {len(tokens)} texts of {asked.data}", file=sys.stderr)


if __name__ == "__main__":
    main()
