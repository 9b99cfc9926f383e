"""Command `python -m device_tests.boards`: build an emulated board, use it, or test a bundle."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_experts.errors import EdgeExpertsError

from . import agreement, instructions, memory, small_machine
from .building import built
from .entering import suite
from .kinds import BOARDS, board

_EXAMPLES = """examples:
  python -m device_tests.boards build arm64-bookworm          prints the board's folder
  python -m device_tests.boards enter arm64-bookworm python3 --version
  python -m device_tests.boards test arm64-bookworm sentiment.bundle --expected expected.npz
  python -m device_tests.boards answers arm64-bookworm translation.bundle --data translation \\
      --count 200 --every 40                                  as this machine, bit by bit
  python -m device_tests.boards memory                        in machines of 512 and 128 MB
  python -m device_tests.boards limited random.bundle --gguf random.gguf --budget 300
  python -m device_tests.boards instructions --write          after a change that is worth them
  python -m device_tests.boards instructions a.bundle b.bundle
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of the command that ran on the board, or that of the error."""
    parser = _parser()
    asked, further = parser.parse_known_args(arguments)
    if further and asked.what not in ("test", "answers"):
        parser.error(f"unknown: {' '.join(further)}")
    if asked.what == "instructions" and asked.bundles and asked.write:
        parser.error("--write: the table has its own bundles; name no others")
    try:
        return _do(asked, further)
    except EdgeExpertsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _do(asked: argparse.Namespace, further: Sequence[str]) -> int:
    if asked.what == "memory":
        figures = [asdict(memory.measure(megabytes)) for megabytes in asked.megabytes]
        _print(machines=figures)
    elif asked.what == "limited":
        sizes = {"megabytes": asked.megabytes, "budget": round(asked.budget * 1_000_000)}
        measure = small_machine.measure_here if asked.here else small_machine.measure
        _print(**measure(asked.bundle, asked.gguf, **sizes, tokens=asked.tokens))
    elif asked.what == "instructions":
        found = instructions.count({one.name: one.resolve() for one in asked.bundles})
        _print(instructions=found)
        if asked.write:
            instructions.write_table(found)
        elif not asked.bundles:
            instructions.refuse_growth(found, instructions.read_table())
    elif asked.what == "test":
        return suite(board(asked.board), asked.bundle, asked.expected, further).returncode
    elif asked.what == "answers":
        compared = agreement.compare(board(asked.board), asked.bundle, further)
        _print(**compared)
        agreement.refuse_difference(compared)
    elif asked.what == "enter":
        enter = built(board(asked.board)) / "enter"
        return subprocess.run([enter, *asked.command], check=False).returncode
    else:
        print(built(board(asked.board)))
    return 0


def _print(**content: Any) -> None:
    print(json.dumps({"schema_version": "1.0"} | content, indent=2))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m device_tests.boards",
        description=(__doc__ or "").split(": ", 1)[1],
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="what", required=True)
    build = actions.add_parser("build", help="print the board's folder, built where need be")
    enter = actions.add_parser("enter", help="run a command on it, with the options of `enter`")
    test = actions.add_parser(
        "test", help="run the suite for boards on it; takes pytest's options too"
    )
    answering = actions.add_parser(
        "answers",
        help="compare its answers with this machine's; takes --data, --count and --every as "
        "`python -m edge_experts.benchmarking.expected` does",
    )
    for action in (build, enter, test, answering):
        action.add_argument("board", choices=tuple(BOARDS))
    for action in (test, answering):
        action.add_argument("bundle", type=Path)
    enter.add_argument("command", nargs=argparse.REMAINDER)
    test.add_argument("--expected", type=Path, help="the answers that it must give")
    measuring = actions.add_parser("memory", help="of experts and a dense network, in machines")
    measuring.add_argument("megabytes", type=int, nargs="*", default=[512, 128])
    limited = actions.add_parser(
        "limited", help="tokens of a language model within a budget, in a machine"
    )
    limited.add_argument(
        "bundle",
        type=Path,
        help="of `python -m benchmarks synthetic-moe`; with --here also an install root",
    )
    limited.add_argument("--gguf", type=Path, help="the same weights, for llama.cpp beside it")
    limited.add_argument("--megabytes", type=int, default=512, help="of the machine")
    limited.add_argument("--budget", type=float, required=True, help="memory budget in MB")
    limited.add_argument("--here", action="store_true", help="control group, not an emulated one")
    limited.add_argument("--tokens", type=int, default=4, help="that are computed")
    counting = actions.add_parser("instructions", help="count them, and compare with the table")
    counting.add_argument(
        "bundles", type=Path, nargs="*", help="count these, and compare with nothing"
    )
    counting.add_argument("--write", action="store_true", help="make them the table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
