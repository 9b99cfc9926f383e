"""Chat templates: a conversation becomes one text, in the form that a model was trained on.

https://huggingface.co/docs/transformers/chat_templating. The template is rendered by Jinja2 in a
limited process (`template_process`), one for each rendering: none can keep anything of the last
conversation.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BundleError, MissingExtraError, UsageError
from ..format.limits import LIMITS
from ..format.strict_json import harmless

MOST_CHARACTERS = 1_000_000  # of a text
ROLES = ("system", "user", "assistant")
_PROCESS = Path(__file__).with_name("template_process.py")
_PATIENCE = 10.0 * LIMITS.template_seconds  # seconds, on a busy machine
_MODULES = ("jinja2", "markupsafe")


@dataclass(frozen=True)
class Message:
    """One message of a conversation.

    Raises:
        UsageError: an unknown role, or a content that is no text.
    """

    role: str
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise UsageError(f"a role must be one of {', '.join(ROLES)}, got {self.role!r:.40}")
        if not isinstance(self.content, str):
            raise UsageError(
                f"the content of a message must be a text, got {type(self.content).__name__}"
            )


class ChatTemplate:
    """A chat template.

    Args:
        template: in Jinja.
        names: further variables, such as bos_token.
    """

    def __init__(self, template: str, names: Mapping[str, str]):
        self._template, self._names = template, dict(names)

    def render(self, messages: Sequence[Message]) -> str:
        """Render a conversation, up to where the next answer begins.

        Raises:
            UsageError: the template refuses the conversation, or it is too long.
            BundleError: the template takes too much time.
            MissingExtraError: Jinja2 is not installed.
        """
        if len(messages) > LIMITS.chat_messages:
            raise UsageError(
                f"a conversation must have at most {LIMITS.chat_messages:,} messages, got "
                f"{len(messages):,}"
            )
        if sum(len(one.content) for one in messages) > MOST_CHARACTERS:
            raise UsageError(f"a conversation must have at most {MOST_CHARACTERS:,} characters")
        request = {
            "paths": require_jinja(),
            "template": self._template,
            "variables": {
                **self._names,
                "messages": [{"role": one.role, "content": one.content} for one in messages],
                "tools": None,
                "documents": None,
                "add_generation_prompt": True,
            },
            "seconds": LIMITS.template_seconds,
            "memory": LIMITS.template_memory,
            "characters": MOST_CHARACTERS,
        }
        answer = _run(json.dumps(request))
        if "text" not in answer:
            reason = harmless(str(answer.get("error")))
            raise UsageError(f"the model's chat template refuses the conversation: {reason}")
        return str(answer["text"])


def _run(request: str) -> Mapping[str, Any]:
    # Every bundle's process would hold these modules, and most have no chat template.
    import signal
    import subprocess

    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_PROCESS)],
            input=request.encode("ascii"),
            capture_output=True,
            env={},
            start_new_session=True,  # Ctrl-C in a terminal is for the conversation
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _too_slow() from None
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise _too_slow()
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = harmless(lines[-1])[:200] if lines else f"exit code {done.returncode}"
        raise BundleError(f"the model's chat template ended its process: {reason}")
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


def _too_slow() -> BundleError:
    return BundleError(
        f"the model's chat template takes more than {LIMITS.template_seconds} seconds; do not "
        "trust this bundle"
    )


def require_jinja() -> list[str]:
    """Return the folders that have Jinja2 and what it imports.

    Raises:
        MissingExtraError: it is not installed.
    """
    found = [importlib.util.find_spec(name) for name in _MODULES]
    origins = [one.origin for one in found if one is not None and one.origin is not None]
    if len(origins) < len(_MODULES):
        raise MissingExtraError("Jinja2, for the model's chat template,", "chat")
    return list(dict.fromkeys(str(Path(origin).parents[1]) for origin in origins))
