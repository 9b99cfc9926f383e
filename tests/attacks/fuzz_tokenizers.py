"""Mutated tokenizers and chat templates: nothing but the documented errors, in bounded memory.

`python -m tests.attacks.fuzz_tokenizers --tokenizers 50000 --templates 500`. A mutation is a
function of seed and number; one that fails is printed with the command that repeats it.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.errors import BundleError, ManifestError, UsageError
from edge_experts.features import TokenizerFeatures, restore
from edge_experts.features.chat_template import ChatTemplate, Message
from tests import small_tokenizers
from tests.attacks.test_hostile_tokenizers import ODD, PARTS

MEMORY = 2**29  # above what the process has at the start
TEXTS = ("", "the größer 日本 <s> <|im_end|>\n\0", "ab " * 300)
MESSAGES = [Message("system", "a"), Message("user", "b"), Message("user", "<|im_end|>")]
TEMPLATES = [
    path.read_text("utf-8")
    for path in sorted((Path(__file__).parents[1] / "data" / "chat_templates").glob("*.jinja"))
]
_LARGE = ("vocab", "merges")  # most changes of these are refused alike
_SPLICES = ("{{", "}}", "{%", "%}", "*", "**", "9" * 9, "range(9999999)", "__class__", "~", "|list")


def starts() -> list[Any]:
    """Tokenizers to mutate: small real ones of each form."""
    found = [PARTS]
    for maker in small_tokenizers.MAKERS.values():
        content = json.loads(maker().to_str())
        content |= dict.fromkeys(("truncation", "padding", "post_processor"))
        found.append(content)
    return found


def mutated(content: Any, draw: random.Random) -> bytes:
    """Change up to three values of a tokenizer, or up to four of its bytes."""
    if draw.random() < 0.7:
        content = copy.deepcopy(content)
        for _ in range(draw.randint(1, 3)):
            _change(content, draw)
        return json.dumps(content).encode()
    raw = bytearray(json.dumps(content, ensure_ascii=False).encode())
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(raw))
        if draw.random() < 0.5:
            raw[place] = draw.randrange(256)
        else:
            raw[place : place + draw.randint(0, 9)] = bytes(draw.choices(b'[]{}",:0189ae', k=3))
    return bytes(raw)


def _change(content: Any, draw: random.Random) -> None:
    """Walk to a random place and change it: settings more often than tokens."""
    inner = content
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            return
        key = draw.choice(keys)
        if key in _LARGE and draw.random() < 0.9:
            continue
        value = inner[key]
        if isinstance(value, dict | list) and value and draw.random() < 0.8:
            inner = value
            continue
        kind = draw.random()
        if kind < 0.2:
            del inner[key]
        elif kind < 0.4 and isinstance(inner, list):
            inner += [copy.deepcopy(value)] * draw.choice([1, 5, 300])
        elif kind < 0.6 and isinstance(value, int | float):
            inner[key] = value + draw.choice([-1, 1, 2**31, 2**63])
        else:
            inner[key] = copy.deepcopy(draw.choice(ODD))
        return


def one_tokenizer(raw: bytes) -> str:
    """Use a tokenizer; return "used", "refused" at opening, or "texts refused"."""
    arrays = {"tokenizer": np.frombuffer(raw, np.uint8)}
    try:
        made = restore("tokenizer", {"start": [0], "ends": [1], "names": {}}, arrays)
    except ManifestError:
        return "refused"
    assert isinstance(made, TokenizerFeatures)
    result = "used"
    for text in TEXTS:
        try:
            ids = made.tokens(text)
        except UsageError:
            result = "texts refused"
            continue
        assert all(0 <= one < made.size for one in ids)
        made.text(ids)
    return result


def one_template(template: str, draw: random.Random) -> str:
    """Render a mutated template; return "rendered", "refused" or "ended"."""
    for _ in range(draw.randint(1, 2)):
        place = draw.randrange(len(template))
        end = place + draw.choice([0, 1, 8])
        template = template[:place] + draw.choice(_SPLICES) + template[end:]
    try:
        ChatTemplate(template, {"bos_token": "<s>"}).render(MESSAGES)
    except UsageError:
        return "refused"
    except BundleError:
        return "ended"
    return "rendered"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizers", type=int, default=10_000)
    parser.add_argument("--templates", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    given = parser.parse_args()
    contents, begin = starts(), time.monotonic()
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for kind, count in (("tokenizers", given.tokenizers), ("templates", given.templates)):
        results: Counter[str] = Counter()
        for number in range(given.first, given.first + count):
            draw = random.Random(f"{given.seed} {number}")
            try:
                if kind == "tokenizers":
                    results[one_tokenizer(mutated(draw.choice(contents), draw))] += 1
                else:
                    results[one_template(draw.choice(TEMPLATES), draw)] += 1
            except BaseException:
                other = "templates" if kind == "tokenizers" else "tokenizers"
                print(
                    f"repeat by --seed {given.seed} --first {number} --{kind} 1 --{other} 0",
                    file=sys.stderr,
                )
                raise
        print(f"{kind}: {count:,} ({', '.join(f'{one} {results[one]:,}' for one in results)})")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{time.monotonic() - begin:.0f} s, memory grew by {grown:.0f} MB")


if __name__ == "__main__":
    main()
