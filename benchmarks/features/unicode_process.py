"""Tokens of random texts on the Python that runs this: FOLDER COUNT; needs only numpy."""

from __future__ import annotations

import json
import platform
import sys
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.features.random_texts import random_texts
from edge_experts.features.sentence_rules import PythonSentences, TableSentences
from edge_experts.features.text_rules import PythonWords, TableWords
from edge_experts.features.unicode_contract import restored
from edge_experts.format.npz import plain_arrays

_MOST = 4096


def main(folder: Path, count: int) -> None:
    """Write a checksum for each text's words and sentence, and print the path."""
    contract = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
    arrays = plain_arrays((folder / "tables.npz").read_bytes())
    tables = restored(contract, arrays, PythonWords, TableWords)
    assert isinstance(tables, TableWords)
    sentences = TableSentences(tables.tables, "0")
    texts = list(random_texts(count))
    name = platform.python_version()
    found = {
        "tables": _save(folder / f"{name} tables", texts, tables, sentences),
        "own": _save(folder / f"{name} own", texts, PythonWords(), PythonSentences()),
        "python": name,
        "unicode": unicodedata.unidata_version,
    }
    print(json.dumps(found))


def checksums(
    texts: Iterable[str],
    words: TableWords | PythonWords,
    sentences: TableSentences | PythonSentences,
) -> np.ndarray:
    """Compute CRC-32 of each text's words and normalized sentence, (texts,) uint32."""
    return np.fromiter(
        (
            zlib.crc32(
                words.words(text, _MOST).tobytes() + sentences.normalized(text).encode("utf-8")
            )
            for text in texts
        ),
        np.uint32,
    )


def _save(
    path: Path,
    texts: list[str],
    words: TableWords | PythonWords,
    sentences: TableSentences | PythonSentences,
) -> str:
    file = path.with_name(f"{path.name}.npy")
    np.save(file, checksums(texts, words, sentences))
    return str(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
