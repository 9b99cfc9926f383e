"""Runs edge-experts commands in forks of one process that has TensorFlow imported already.

python -m tests.documents.server FOLDER: a JSON list of words a line on stdin, a JSON object a line
on stdout with `code`, `out` and `err`. Every command is real; only the import is shared.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def _run(words: list[str], out: Path, err: Path) -> int:
    """Run the command in a fork; its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for descriptor, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.argv = ["edge-experts", *words]
            from edge_experts.cli import main

            try:
                main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                import traceback

                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    import edge_experts.converters

    import edge_experts.training

    assert edge_experts.converters.__name__ in sys.modules  # imported once, for all forks

    folder = Path(sys.argv[1])
    os.chdir(folder)
    out, err = folder / ".out", folder / ".err"
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        code = _run(json.loads(line), out, err)
        told = {"code": code, "out": out.read_text(), "err": err.read_text()}
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
