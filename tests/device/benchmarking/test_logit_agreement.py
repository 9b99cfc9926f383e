"""Logits of two machines: the same ones agree to the bit, and others are listed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_experts.benchmarking.tasks import logit_agreement
from edge_experts.errors import BundleError, UsageError
from edge_experts.format.npz import npz


def test_a_machine_agrees_with_itself_and_changes_are_listed(
    language_bundle: Path,
    language_text: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data, stored = language_text[0], tmp_path / "logits.npz"
    host = (str(language_bundle), "--data", str(data), "--out", str(stored), "--count", "3")
    logit_agreement.main(host)
    logit_agreement.main((str(language_bundle), "--check", str(stored)))
    found = json.loads(capsys.readouterr().out)
    assert found["largest_logit"] == found["loss"] == 0
    assert found["other_tokens"] == []
    assert found["tokens"] == 32 * found["texts"] > 0
    assert not found["is_exact"]
    with np.load(stored) as arrays:
        changed = dict(arrays)
    row = changed["logits"][0, 5]
    best = int(row.argmax())
    row[best - 1] = row[best] * 1.5
    stored.write_bytes(npz(**changed))
    other = logit_agreement.compare(language_bundle, stored)
    assert [(one.text, one.place) for one in other.other_tokens] == [(0, 5)]
    assert other.largest_logit > 0.1


def test_foreign_files_and_bundles_are_refused(
    language_bundle: Path, sentiment_bundle: Path, tmp_path: Path
) -> None:
    stored = tmp_path / "logits.npz"
    tokens = np.zeros((1, 4), np.int32)
    made = logit_agreement.logits(language_bundle, tokens)
    stored.write_bytes(npz(tokens=tokens, logits=made, digest=np.zeros(3, np.uint8)))
    with pytest.raises(BundleError, match="was made for another bundle"):
        logit_agreement.compare(language_bundle, stored)
    stored.write_bytes(b"no file of arrays")
    with pytest.raises(BundleError, match="not a file of logits"):
        logit_agreement.compare(language_bundle, stored)
    with pytest.raises(UsageError, match="is not a language model"):
        logit_agreement.logits(sentiment_bundle, tokens)
