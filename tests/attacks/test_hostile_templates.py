"""Hostile chat templates: only the documented errors, in bounded time and memory."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts.errors import BundleError, UsageError
from edge_experts.features import chat_template
from edge_experts.features.chat_template import ChatTemplate, Message
from edge_experts.format.limits import LIMITS

from ..small_tokenizers import CHATML

MESSAGES = [Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
REFUSED = "the model's chat template refuses the conversation"


def render(template: str) -> str:
    return ChatTemplate(template, {"bos_token": "<s>"}).render(MESSAGES)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ 'a' * 10**12 }}", "needs more than 134,217,728 bytes of memory"),
        ("{{ 'a' * (2**27) }}", "needs more than 134,217,728 bytes of memory"),
        ("{{ 'a' * 10**7 }}", "wrote more than 1,000,000 characters"),
        ("{{ '%999999999d' % 3 }}", "needs more than"),
        ("{{ '{:>9999999999}'.format('a') }}", "needs more than"),
        (
            "{% set x = namespace(a='a') %}{% for i in range(60) %}"
            "{% set x.a = x.a ~ x.a %}{% endfor %}{{ x.a }}",
            "needs more than",
        ),
        (f"{{% for i in range(99999) %}}{'a' * 40}{{% endfor %}}", "wrote more than"),
        ("{{ range(10**9)|list }}", "Range too big"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "recursion"),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}", "recursion"),
        ("{{ '\\ud800' }}", "surrogates not allowed"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{{ cycler.__init__.__globals__.os }}", "unsafe"),
        ("{{ (''|attr('__class__')).x }}", "unsafe|undefined"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ '{0.__class__.__mro__}'.format('') }}", "unsafe|undefined|not"),
        ("{% set a = 'x'.format_map %}{{ a({}).__class__.x }}", "unsafe"),
        ("{{ raise_exception('\x1b[31mred\n') }}", r"\?\[31mred\?"),
        ("{% if", "unexpected"),
        ("{{ unknown.x }}", "undefined"),
    ],
)
def test_a_hostile_template_is_refused(template: str, problem: str) -> None:
    begin = time.monotonic()
    with pytest.raises(UsageError, match=rf"{REFUSED}: .*({problem})"):
        render(template)
    assert time.monotonic() - begin < 20


def test_the_number_of_messages() -> None:
    template = ChatTemplate("{{ messages|length }}", {})
    most = LIMITS.chat_messages
    assert template.render([Message("user", "")] * most) == str(most)
    with pytest.raises(UsageError, match="at most 10,000 messages, got 10,001"):
        template.render([Message("user", "")] * (most + 1))


def test_an_endless_template_is_ended() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    loops = "{% for i in range(99999) %}{% for i in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(BundleError, match="takes more than 5 seconds"):
        render(loops)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent <= LIMITS.template_seconds + 2


def test_a_template_that_waits_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a process that sleeps instead of the renderer; a template has nothing to sleep with."""
    sleeping = tmp_path / "sleeping.py"
    sleeping.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(chat_template, "_PROCESS", sleeping)
    monkeypatch.setattr(chat_template, "_PATIENCE", 0.5)
    with pytest.raises(BundleError, match="takes more than"):
        render(CHATML)


def test_the_process_has_no_files_children_and_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a hole in the sandbox would find, by code in the renderer's place."""
    source = chat_template._PROCESS.read_text("utf-8")
    probe = """
import os, socket
found = {"environment": "SECRET" in os.environ}
acts = {"open": lambda: open("/etc/passwd"), "socket": socket.socket, "big": lambda: bytes(2**28)}
for name, act in acts.items():
    try:
        act()
        found[name] = "done"
    except (OSError, MemoryError) as error:
        found[name] = type(error).__name__
json.dump({"text": json.dumps(found)}, sys.stdout)
"""
    changed = source.replace("    json.dump(_rendered(environment, request), sys.stdout)", "")
    changed = changed.replace("import resource", "import resource, socket")
    path = tmp_path / "template_process.py"
    path.write_text(changed + probe, "utf-8")
    monkeypatch.setattr(chat_template, "_PROCESS", path)
    monkeypatch.setenv("SECRET", "x")
    text = render(CHATML)
    wanted = {"environment": False, "open": "OSError", "socket": "OSError", "big": "MemoryError"}
    assert json.loads(text) == wanted


def test_no_process_is_left() -> None:
    own = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    before = Path(own).read_text()
    render(CHATML)
    assert Path(own).read_text() == before


PARTS = (
    *("{{", "}}", "{%", "%}", "{#", "#}", " if ", " for i in ", " endfor ", " endif ", " set x = "),
    *("messages", "range(9)", "[0]", ".content", "|tojson", "|list", "'a'", "*", "**", "9", "~"),
    *("namespace(a=1)", "x.a", "(", ")", "-", "\n", "__class__", "loop", " macro m() ", " is "),
)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join))
def test_any_template_is_rendered_or_refused(template: str) -> None:
    problem = None
    try:
        assert isinstance(render(template), str)
    except (UsageError, BundleError) as error:
        problem = str(error)
    assert problem is None or problem.startswith((REFUSED, "the model's chat template takes"))
