"""Renders the templates by `transformers`: python make_expected.py, in an environment that has it.

Writes expected.json: for each template and conversation the text, or null where it is refused.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast  # type: ignore[import-not-found,unused-ignore]

FOLDER = Path(__file__).parent
CONVERSATIONS = {
    "one turn": [("user", "  Hello, größer 日本\n")],
    "system": [("system", "Be short."), ("user", "Who are you?")],
    "turns": [
        ("user", "Hello"),
        ("assistant", "Hi there "),
        ("user", "Name <two> 'cats' & \"dogs\""),
        ("assistant", " Tom\n\nand Rex"),
        ("user", "Thanks"),
    ],
    "two users": [("user", "a"), ("user", "b")],
}


def main() -> None:
    backend = Tokenizer(models.BPE(vocab={"<s>": 0, "</s>": 1}, merges=[]))
    made = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    found: dict[str, dict[str, str | None]] = {}
    for path in sorted(FOLDER.glob("*.jinja")):
        texts = found[path.stem] = {}
        for name, turns in CONVERSATIONS.items():
            messages = [{"role": role, "content": content} for role, content in turns]
            try:
                texts[name] = made.apply_chat_template(
                    messages,
                    chat_template=path.read_text("utf-8"),
                    tokenize=False,
                    add_generation_prompt=True,
                )
            except Exception:
                texts[name] = None
    content = {"conversations": CONVERSATIONS, "texts": found}
    text = json.dumps(content, ensure_ascii=False, indent=1)
    (FOLDER / "expected.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
