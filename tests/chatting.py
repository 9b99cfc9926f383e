"""The tiny language model with its vocabulary as a tokenizer.json, and a chat template."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from edge_experts.features import BytePairFeatures, TokenizerFeatures, read_features
from edge_experts.features.byte_pairs import END, FIRST_BYTE, FIRST_PIECE
from edge_experts.format.manifest import MANIFEST, FeatureSpec, FileEntry
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.format.npz import npz

END_MARK, MARK = "<|end|>", "\u2581"
# Each turn is a line of the chain that the model knows; its documents end with a full stop.
TEMPLATE = (
    "{{ eos_token }}{% for message in messages %}{{ '7: ' if loop.first }}{{ message.content }}"
    "{% if message.role == 'system' %}{{ ' ' }}{% endif %}{% endfor %}"
)


def bundle(language: Path, folder: Path, template: str | None = TEMPLATE) -> Path:
    """Copy a bundle of `tests.language`; the ids of its tokens stay."""
    shutil.copytree(language, folder)
    manifest = read_manifest(folder)
    old = read_features(folder, manifest.features)
    assert isinstance(old, BytePairFeatures)
    made = TokenizerFeatures(_tokenizer(old), [END], [END], {"eos_token": END_MARK}, template)
    content = npz(**made.arrays)
    assert manifest.features.file is not None
    path = manifest.features.file.path
    (folder / path).write_bytes(content)
    entry = FileEntry.of(path, content, 2 * len(content))
    spec = FeatureSpec(made.kind, made.settings, entry)
    (folder / MANIFEST).write_text(replace(manifest, features=spec).to_json(), "utf-8")
    return folder


def _tokenizer(old: BytePairFeatures) -> bytes:
    """Write a tokenizer.json with the same pieces, each merged from any two of the others."""
    pieces = [
        old.bytes_of([token]).decode().replace(" ", MARK) for token in range(FIRST_PIECE, old.size)
    ]
    fallback = {f"<0x{byte:02X}>": FIRST_BYTE + byte for byte in range(256)}
    ids = {END_MARK: END, **fallback}
    ids |= {piece: FIRST_PIECE + place for place, piece in enumerate(pieces)}
    merges = [
        [piece[:cut], piece[cut:]]
        for piece in pieces
        for cut in range(1, len(piece))
        if piece[:cut] in ids and piece[cut:] in ids
    ]
    space = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}
    words = rf"\n|{MARK}+(?={MARK}[^{MARK}\n])|{MARK}?[^{MARK}\n]{{1,64}}|{MARK}+"
    mark = {"id": END, "content": END_MARK, "special": True, "normalized": False}
    content = {
        "version": "1.0",
        "added_tokens": [{**mark, **dict.fromkeys(("single_word", "lstrip", "rstrip"), False)}],
        "normalizer": space,
        "pre_tokenizer": {
            "type": "Split",
            "behavior": "Isolated",
            "invert": False,
            "pattern": {"Regex": words},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {**space, "pattern": {"String": MARK}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {"type": "BPE", "vocab": ids, "merges": merges, "byte_fallback": True},
    }
    return json.dumps(content).encode()
