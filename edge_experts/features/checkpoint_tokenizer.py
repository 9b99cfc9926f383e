"""Features of a Hugging Face checkpoint's tokenizer: its files become one object.

Read are tokenizer.json; tokenizer_config.json and special_tokens_map.json, for special tokens and
the chat template; chat_template.jinja; and generation_config.json and config.json, for the tokens
that end a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..format.bounded_read import read_at_most
from ..format.limits import LIMITS
from ..format.strict_json import strict_json
from .tokenizer import TokenizerFeatures
from .tokenizer_rules import check, parsed

TOKENIZER, TEMPLATE = "tokenizer.json", "chat_template.jinja"
CONFIG, GENERATION = "tokenizer_config.json", "generation_config.json"
_SPECIAL = "special_tokens_map.json"
_DIGITS = 40  # transformers writes 10**30 where a model_max_length is not known
_DROPPED = ("truncation", "padding", "post_processor")


def read(folder: Path) -> TokenizerFeatures:
    """Read the tokenizer of a checkpoint's folder.

    Raises:
        UsageError: a file is missing, is not as `transformers` writes it, exceeds a limit, or uses
            what is not supported; names the file.
        MissingExtraError: the `tokenizers` library is not installed.
    """
    path = folder / TOKENIZER
    content = read_at_most(path, LIMITS.tokenizer_bytes)
    if content is None:
        raise UsageError(
            f"{path}: missing; if the checkpoint has only a tokenizer.model of sentencepiece, let "
            "transformers write it: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )
    config = _settings(folder / CONFIG)
    try:
        found = parsed(content)
        post_processor = found.get("post_processor")
        found |= dict.fromkeys(_DROPPED)
        summary = check(found)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    ids = _ids(found)
    names = _names(config, _settings(folder / _SPECIAL))
    first = config.get("add_bos_token")
    if first is None:
        start = _start(post_processor, ids)
    else:
        start = [ids[names["bos_token"]]] if first and names.get("bos_token") in ids else []
    ends = _ends(folder, ids.get(names.get("eos_token", "")))
    ends = [one for one in ends if one < summary.size]
    if not ends:
        raise UsageError(
            f"{folder}: no token ends a text; state eos_token_id in {GENERATION}, or eos_token in "
            f"{CONFIG}"
        )
    packed = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    try:
        return TokenizerFeatures(packed, start, ends, names, _template(folder, config))
    except ValueError as error:
        raise UsageError(f"{folder}: {error}") from None


def _settings(path: Path) -> Mapping[str, Any]:
    """Read a file of settings; empty if it does not exist."""
    content = read_at_most(path, LIMITS.manifest_bytes)
    if content is None:
        return {}
    if len(content) > LIMITS.manifest_bytes:
        raise UsageError(f"{path}: larger than {LIMITS.manifest_bytes:,} bytes")
    try:
        found = strict_json(content, digits=_DIGITS)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: must be a JSON object")
    return found


def _ids(found: Mapping[str, Any]) -> dict[str, int]:
    """Return the ids of all tokens of a checked tokenizer."""
    vocabulary = found["model"]["vocab"]
    if isinstance(vocabulary, list):
        ids = {text: place for place, (text, _) in enumerate(vocabulary)}
    else:
        ids = dict(vocabulary)
    return ids | {one["content"]: one["id"] for one in found.get("added_tokens") or []}


def _names(*files: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of special tokens by their names; earlier files take precedence."""
    found: dict[str, str] = {}
    for file in files:
        for name, value in file.items():
            text = value.get("content") if isinstance(value, dict) else value
            if name.endswith("_token") and isinstance(text, str):
                found.setdefault(name, text)
    return found


def _start(post_processor: Any, ids: Mapping[str, int]) -> list[int]:
    """Return the tokens that a post-processor puts before a text.

    It is a `TemplateProcessing`, alone or in a sequence, or puts nothing.
    """
    waiting, start = [post_processor], list[int]()
    while waiting:
        step = waiting.pop()
        if not isinstance(step, dict):
            continue
        if step.get("type") == "Sequence" and isinstance(step.get("processors"), list):
            waiting += step["processors"][: LIMITS.tokenizer_steps]
        if step.get("type") != "TemplateProcessing" or not isinstance(step.get("single"), list):
            continue
        for part in step["single"]:
            special = part.get("SpecialToken") if isinstance(part, dict) else None
            if not isinstance(special, dict) or special.get("id") not in ids:
                break
            start.append(ids[special["id"]])
    return start


def _ends(folder: Path, usual: int | None) -> list[int]:
    """Return the ids that end a text, those of the tokenizer and of the model's settings."""
    found = [] if usual is None else [usual]
    for name in (GENERATION, "config.json"):
        value = _settings(folder / name).get("eos_token_id")
        values: Iterable[Any] = value if isinstance(value, list) else [value]
        found += [one for one in values if type(one) is int and one >= 0]
    return list(dict.fromkeys(found))[: LIMITS.end_tokens]


def _template(folder: Path, config: Mapping[str, Any]) -> str | None:
    """Return the chat template; of several the one named "default"."""
    content = read_at_most(folder / TEMPLATE, LIMITS.template_bytes)
    if content is not None:
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            raise UsageError(f"{folder / TEMPLATE}: not text in UTF-8") from None
    given = config.get("chat_template")
    if isinstance(given, list):
        named = {one.get("name"): one.get("template") for one in given if isinstance(one, dict)}
        given = named.get("default")
    return given if isinstance(given, str) else None
