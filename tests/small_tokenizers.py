"""Small real tokenizers in the forms of published checkpoints, trained on the documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from . import language

DOCS = Path(__file__).parents[1] / "docs"
# Of Llama 3 and Qwen 2; GPT-2's is built into ByteLevel.
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def texts() -> list[str]:
    """Texts of the documentation, and some in other scripts."""
    pages = sorted(DOCS.glob("*.md"))[:6]
    return [*(page.read_text("utf-8") for page in pages), language.text()]


def gpt_2(size: int = 600) -> Tokenizer:
    """Byte-level BPE as of GPT-2, SmolLM2 and Granite."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return _trained(made, size, CHAT_MARKS, pre_tokenizers.ByteLevel.alphabet())


def llama_3(size: int = 600) -> Tokenizer:
    """Byte-level BPE as of Llama 3 and Qwen, which split by a pattern of their own."""
    made = Tokenizer(models.BPE(ignore_merges=True))
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA_3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    begin, end = "<|begin_of_text|>", "<|end_of_text|>"
    marks = (begin, end, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    _trained(made, size, marks, pre_tokenizers.ByteLevel.alphabet())
    made.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(
                single=f"{begin} $A",
                pair=f"{begin} $A {begin} $B",
                special_tokens=[(begin, made.token_to_id(begin))],
            ),
        ]
    )
    return made


def llama_2(size: int = 900) -> Tokenizer:
    """BPE as of sentencepiece with byte fallback: Llama 2, TinyLlama and Mixtral."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    # Words are divided for the training alone; Llama 2 has no pre-tokenizer.
    made.pre_tokenizer = pre_tokenizers.Metaspace("\u2581", "never", True)
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    _trained(made, size, ("<unk>", "<s>", "</s>", *fallback), [])
    content = json.loads(made.to_str())
    content["pre_tokenizer"] = None
    # Tokens of bytes belong to the vocabulary alone.
    content["added_tokens"] = content["added_tokens"][:3]
    made = Tokenizer.from_str(json.dumps(content))
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return made


def metaspace(size: int = 900) -> Tokenizer:
    """BPE with byte fallback and Metaspace, as newer versions of transformers write Llama 2."""
    content = json.loads(llama_2(size).to_str())
    step = {
        "type": "Metaspace",
        "replacement": "\u2581",
        "prepend_scheme": "first",
        "split": False,
    }
    content |= {"normalizer": None, "pre_tokenizer": step}
    return Tokenizer.from_str(json.dumps(content))


MAKERS: dict[str, Callable[[], Tokenizer]] = {
    one.__name__: cache(one) for one in (gpt_2, llama_3, llama_2, metaspace)
}
CONFIGS: dict[str, dict[str, Any]] = {
    "gpt_2": {
        "bos_token": "<|endoftext|>",
        "eos_token": {"content": "<|im_end|>", "__type": "AddedToken"},
        "add_bos_token": False,
        "model_max_length": 1000000000000000019884624838656,
        "chat_template": CHATML,
    },
    "llama_3": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
    "llama_2": {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True},
    "metaspace": {"bos_token": "<s>", "eos_token": "</s>"},
}


def write(folder: Path, name: str, **more: Any) -> Path:
    """Write one of `MAKERS` as a checkpoint's folder has it.

    Args:
        more: further files by their names without ".json".
    """
    folder.mkdir(parents=True, exist_ok=True)
    MAKERS[name]().save(str(folder / "tokenizer.json"))
    files = {"tokenizer_config": CONFIGS[name], **more}
    for file, content in files.items():
        (folder / f"{file}.json").write_text(json.dumps(content), "utf-8")
    return folder


def _trained(
    made: Tokenizer, size: int, marks: Sequence[str], alphabet: Sequence[str]
) -> Tokenizer:
    special = [AddedToken(mark, special=True, normalized=False) for mark in marks]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        initial_alphabet=list(alphabet),
        show_progress=False,
    )
    made.train_from_iterator(texts(), trainer)
    return made
