"""Tokenizer of a GGUF file as the content of `tokenizer.json` and `tokenizer_config.json`.

GGUF names its pre-tokenizer instead of describing it; the descriptions here are those of the
published `tokenizer.json` files of the same models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_experts.errors import CheckpointError

_CONTROL, _ADDED = 3, 4  # of tokenizer.ggml.token_type
_SPACE = "\u2581"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# Regular expressions of pre-tokenizers, by their names in GGUF; None: that of GPT-2, alone or with
# every digit split off first.
_SPLITS = {"llama-bpe": _WORDS + r"\p{N}{1,3}" + _REST, "qwen2": _WORDS + r"\p{N}" + _REST}
_GPT2 = ("gpt-2", "olmo")
_DIGITS = ("smollm", "refact", "starcoder")


def tokenizer_files(path: Path, metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files `tokenizer.json` and `tokenizer_config.json`.

    Raises:
        CheckpointError: the tokenizer's kind is not supported, or its parts are missing.
    """
    kind = metadata.get("tokenizer.ggml.model")
    tokens = _texts(path, metadata, "tokens")
    if kind == "gpt2":
        model, steps = _byte_level(path, metadata, tokens)
    elif kind == "llama":
        model, steps = _sentence_piece(path, metadata, tokens)
    else:
        raise CheckpointError(
            f"{path}: tokenizer {kind!r:.40} is not supported, only gpt2 and llama"
        )
    types = metadata.get("tokenizer.ggml.token_type")
    if not isinstance(types, list) or len(types) != len(tokens):
        raise CheckpointError(
            f"{path}: tokenizer.ggml.token_type must have a number for each token"
        )
    added = [
        {
            "id": number,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": one == _CONTROL,
        }
        for number, (token, one) in enumerate(zip(tokens, types, strict=True))
        if one in (_CONTROL, _ADDED)
    ]
    special = _special(path, metadata, tokens)
    starts = metadata.get("tokenizer.ggml.add_bos_token", kind == "llama")
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        **steps,
        "post_processor": _start(special["bos_token"], tokens) if starts else None,
        "model": model,
    }
    config = {name: token for name, token in special.items() if token is not None}
    template = metadata.get("tokenizer.chat_template")
    if isinstance(template, str):
        config["chat_template"] = template
    return {
        "tokenizer.json": json.dumps(content, ensure_ascii=False).encode(),
        "tokenizer_config.json": json.dumps(config, ensure_ascii=False).encode(),
    }


def _byte_level(
    path: Path, metadata: Mapping[str, Any], tokens: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    name = metadata.get("tokenizer.ggml.pre")
    by_regex: dict[str, Any] = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    if name in _SPLITS:
        first = {
            "type": "Split",
            "pattern": {"Regex": _SPLITS[name]},
            "behavior": "Isolated",
            "invert": False,
        }
        splits = [first, by_regex | {"use_regex": False}]
    elif name in _DIGITS:
        splits = [{"type": "Digits", "individual_digits": True}, by_regex]
    elif name in _GPT2:
        splits = [by_regex]
    else:
        raise CheckpointError(
            f"{path}: pre-tokenizer {name!r:.40} is not supported, only "
            f"{', '.join((*_SPLITS, *_DIGITS, *_GPT2))}; convert the model's folder of "
            "safetensors instead"
        )
    steps = {
        "normalizer": {"type": "NFC"} if name == "qwen2" else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits},
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
    }
    merges = [merge.split(" ") for merge in _texts(path, metadata, "merges")]
    return _pairs(tokens, merges, ignore_merges=name == "llama-bpe"), steps


def _sentence_piece(
    path: Path, metadata: Mapping[str, Any], tokens: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    scores = metadata.get("tokenizer.ggml.scores")
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise CheckpointError(f"{path}: tokenizer.ggml.scores must have a number for each token")
    ranks = {token: -score for token, score in zip(tokens, scores, strict=True)}
    numbers = {token: number for number, token in enumerate(tokens)}
    # Any two tokens that make a third are a merge; SentencePiece takes the best third first.
    merges = [
        (rank, numbers[token[:cut]], numbers[token[cut:]], [token[:cut], token[cut:]])
        for token, rank in ranks.items()
        for cut in range(1, len(token))
        if token[:cut] in numbers and token[cut:] in numbers
    ]
    merges.sort(key=lambda merge: merge[:3])
    prefix = metadata.get("tokenizer.ggml.add_space_prefix", True)
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    back = {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "}
    steps = {
        "normalizer": {
            "type": "Sequence",
            "normalizers": [*([{"type": "Prepend", "prepend": _SPACE}] if prefix else []), replace],
        },
        "pre_tokenizer": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                back,
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                *([{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefix else []),
            ],
        },
    }
    unknown = metadata.get("tokenizer.ggml.unknown_token_id", 0)
    model = _pairs(tokens, [merge[3] for merge in merges])
    if type(unknown) is int and unknown < len(tokens):
        model["unk_token"] = tokens[unknown]
    return model | {"fuse_unk": True, "byte_fallback": True}, steps


def _pairs(
    tokens: Sequence[str], merges: Sequence[Sequence[str]], ignore_merges: bool = False
) -> dict[str, Any]:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": ignore_merges,
        "vocab": {token: number for number, token in enumerate(tokens)},
        "merges": merges,
    }


def _special(
    path: Path, metadata: Mapping[str, Any], tokens: Sequence[str]
) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        number = metadata.get(f"tokenizer.ggml.{key}_token_id")
        if number is not None and not (type(number) is int and 0 <= number < len(tokens)):
            raise CheckpointError(
                f"{path}: tokenizer.ggml.{key}_token_id is no token: {number!r:.40}"
            )
        found[f"{name}_token"] = None if number is None else tokens[number]
    return found


def _start(token: str | None, tokens: Sequence[str]) -> dict[str, Any] | None:
    """Put the token that begins a text before it."""
    if token is None:
        return None
    first: dict[str, Any] = {"SpecialToken": {"id": token, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [
            first,
            {"Sequence": {"id": "A", "type_id": 0}},
            first,
            {"Sequence": {"id": "B", "type_id": 1}},
        ],
        "special_tokens": {
            token: {"id": token, "ids": [list(tokens).index(token)], "tokens": [token]}
        },
    }


def _texts(path: Path, metadata: Mapping[str, Any], name: str) -> list[str]:
    found = metadata.get(f"tokenizer.ggml.{name}")
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise CheckpointError(f"{path}: tokenizer.ggml.{name} must be a list of texts")
    return found
