"""UTF-8 for arguments, streams, files and child processes, in every locale.

Small boards often have a locale without UTF-8, in which Python decodes arguments and input with
another encoding, and cannot print a `µ`. Python decides this at its start, so the process restarts.
"""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Sequence

from ..errors import UsageError

_MODE = "PYTHONUTF8"


def ensure() -> None:
    """Restart this process in Python's UTF-8 mode, unless it uses UTF-8 already.

    The new process has the same id, arguments and streams; child processes inherit the mode.
    """
    _escape()
    encodings = (locale.getpreferredencoding(False), sys.getfilesystemencoding())
    if all(map(_is_utf8, encodings)):
        return
    if os.environ.get(_MODE) == "1" or not sys.executable:  # the mode is ignored: python -E
        _reconfigure()
        return
    os.environ[_MODE] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def checked(texts: Sequence[str] | None) -> None:
    """Check texts of the command line.

    Raises:
        UsageError: a text has bytes that are not UTF-8.
    """
    for text in texts or ():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            shown = text.encode("ascii", "backslashreplace").decode("ascii")
            raise UsageError(
                f"text {shown:.40}: not UTF-8; give it in UTF-8, or in a file with --input"
            ) from None


def _is_utf8(name: str) -> bool:
    return name.lower().replace("-", "").replace("_", "") == "utf8"


def _escape() -> None:
    r"""Write what UTF-8 has no bytes for, such as a byte of a file's name, as `\udcff`.

    In JSON it is the escape of that very text: `os.fsencode` makes the name of it again. Python
    would print the bare byte, which is no JSON, or fail.
    """
    if hasattr(sys.stdout, "reconfigure"):  # None if it is closed
        sys.stdout.reconfigure(errors="backslashreplace")


def _reconfigure() -> None:
    """Set UTF-8 for the streams at least."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors=stream.errors)
