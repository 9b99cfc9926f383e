"""Memory and time of a checkpoint's tokenizer and chat template, in fresh processes."""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edge_experts import subprocesses
from edge_experts.features import TokenizerFeatures
from edge_experts.features.chat_template import ChatTemplate, Message
from edge_experts.runtime.memory import process_memory

_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + "
    "'<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)
_RENDERINGS = 20


@dataclass(frozen=True)
class TokenizerCost:
    """Cost of one vocabulary.

    Attributes:
        file_bytes: of its tokenizer.json.
        memory_bytes, peak_bytes: growth of the process's anonymous memory by opening it, and at
            most meanwhile.
        counted_bytes: memory that a budget counts for it.
        seconds_to_open: processor time.
        tokens_per_second: speed of encoding, by processor time.
    """

    tokens: int
    file_bytes: int
    memory_bytes: int
    peak_bytes: int
    counted_bytes: int
    seconds_to_open: float
    tokens_per_second: float


def costs(sizes: Sequence[int]) -> list[TokenizerCost]:
    """Measure vocabularies of random tokens, each in a process of its own."""
    return [subprocesses.call(cost, size) for size in sizes]


def rendering_ms() -> float:
    """Measure the processor time to render a short conversation, of the process that does."""
    template = ChatTemplate(_TEMPLATE, {})
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(_RENDERINGS):
        template.render([Message("user", "Which bird sings at night?")])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * spent / _RENDERINGS


def cost(size: int) -> TokenizerCost:
    """Measure one vocabulary in this process."""
    content, words = vocabulary(size)
    text = " ".join(words[place % len(words)] for place in range(20_000))
    import tokenizers  # noqa: F401  its own memory is no vocabulary's

    process_memory.reset_peak()
    before, begin = process_memory.read().anonymous, time.process_time()
    made = TokenizerFeatures(content, [0], [0], {}, None)
    opened = time.process_time() - begin
    after = process_memory.read()
    # The peak is known of all pages alone; those of files do not change meanwhile.
    grown, peak = after.anonymous - before, after.peak - after.file - before
    begin = time.process_time()
    count = len(made.tokens(text))
    speed = count / (time.process_time() - begin)
    return TokenizerCost(
        made.size, len(content), grown, peak, made.nbytes, round(opened, 3), round(speed)
    )


def vocabulary(size: int) -> tuple[bytes, list[str]]:
    """Create a byte-level tokenizer.json of random tokens, and words that it has."""
    draw = random.Random(0)
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 324))]
    ids: dict[str, int] = {"<s>": 0}
    known: list[str] = []
    for letter in letters:
        ids[letter] = len(ids)
        known.append(letter)
    merges = []
    while len(ids) < size:
        left, right = draw.choice(known[:2000]), draw.choice(known)
        if len(left + right) <= 12 and left + right not in ids:
            ids[left + right] = len(ids)
            known.append(left + right)
            merges.append([left, right])
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    content = {
        "added_tokens": [{"id": 0, "content": "<s>", "special": True, **flags}],
        "pre_tokenizer": level,
        "decoder": level,
        "model": {"type": "BPE", "vocab": ids, "merges": merges},
    }
    words = [one for one in known[len(letters) :] if one.isascii()]
    return json.dumps(content, ensure_ascii=False).encode(), words[:5000]


def as_table(found: Sequence[TokenizerCost]) -> list[list[str]]:
    """Return rows of cells, the header first."""
    head = ["tokens", "file MB", "memory MB", "peak MB", "counted MB", "opens in s", "tokens/s"]
    rows = [
        [
            f"{one.tokens:,}",
            *(
                f"{size / 1e6:.1f}"
                for size in (one.file_bytes, one.memory_bytes, one.peak_bytes, one.counted_bytes)
            ),
            f"{one.seconds_to_open:.2f}",
            f"{one.tokens_per_second:,.0f}",
        ]
        for one in found
    ]
    return [head, *rows]


def as_json(found: Sequence[TokenizerCost]) -> list[dict[str, object]]:
    """Return the costs as plain values."""
    return [asdict(one) for one in found]
