"""Child process that renders one chat template: `python -I -S template_process.py`.

A template is code of strangers (CVE-2024-34359). Jinja's sandbox keeps it from Python's internals,
but not from using all time and memory; and it had holes (CVE-2024-56326, CVE-2025-27516). So it
runs here, without files, children and environment, within limits that the system enforces.

It reads {"paths", "template", "variables", "seconds", "memory", "characters"} from stdin and writes
{"text"} or {"error"} to stdout, both JSON. Only the standard library and Jinja2 are imported.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from datetime import datetime
from math import ceil
from typing import Any

_EVERYTHING = r"""{{ 'a\n' }} {{ [text]|tojson(indent=1) }} {{ strftime_now('%d %b %Y') }}
{{ lipsum(n=1) }} {{ [text]|pprint }} {{ text|urlencode }} {{ text|wordwrap }} {{ [1]|random }}"""
_MESSAGE = 300  # characters of an error


def _environment() -> Any:
    """Create Jinja's environment with what `transformers` gives to chat templates."""
    import jinja2
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}`, which marks answers for training; its body is rendered."""

        tags = {"generation"}  # noqa: RUF012  as Jinja declares it

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(
        value: Any,
        ensure_ascii: bool = False,
        indent: Any = None,
        separators: Any = None,
        sort_keys: bool = False,
    ) -> str:
        options = {"indent": indent, "separators": separators, "sort_keys": sort_keys}
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return made


def _limit(seconds: int, memory: int) -> None:
    """Limit what the process may use from now on."""
    pages = int(open("/proc/self/statm", encoding="ascii").read().split()[0])  # noqa: PTH123, SIM115
    most = pages * resource.getpagesize() + memory
    used = resource.getrusage(resource.RUSAGE_SELF)
    end = ceil(used.ru_utime + used.ru_stime) + seconds
    for kind, limit in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_CPU, end),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def _rendered(environment: Any, request: dict[str, Any]) -> dict[str, str]:
    parts, left = [], request["characters"]
    try:
        template = environment.from_string(request["template"])
        for part in template.generate(**request["variables"]):
            left -= len(part)
            if left < 0:
                return {"error": f"it wrote more than {request['characters']:,} characters"}
            parts.append(part)
        text = "".join(parts)
        text.encode()
    except MemoryError:
        parts.clear()
        return {"error": f"it needs more than {request['memory']:,} bytes of memory"}
    except Exception as error:  # whatever a template provokes
        return {"error": str(error)[:_MESSAGE] or type(error).__name__}
    return {"text": text}


def _main() -> None:
    request = json.load(sys.stdin)
    sys.path += request["paths"]
    environment = _environment()
    # Modules that are imported at first use: afterwards no file can be opened.
    list(environment.from_string(_EVERYTHING).generate(text="a"))
    with contextlib.suppress(Exception):
        environment.from_string("{{ raise_exception('') }}").render()
    _limit(request["seconds"], request["memory"])
    json.dump(_rendered(environment, request), sys.stdout)


if __name__ == "__main__":
    _main()
