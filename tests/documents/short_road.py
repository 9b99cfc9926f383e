"""From a table and from texts to answers, in short: `python -m tests.documents.short_road`.

It needs what the extras `train` and `cli` bring and no more, so that CI can run it on each Python
version that the README names.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.documents import small_data

LEAST = 0.8  # of the test examples that must be right; both sets are easy


def main() -> None:
    """Train, convert, run and evaluate each; an exit code or an accuracy that is wrong ends it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        small_data.write(folder)
        _run(folder, "doctor")
        for name, example in (
            ("flowers", '{"height": 2.1, "colour": "blue"}'),
            ("texts", "good film number 7"),
        ):
            run, bundle, data = f"{name}.run", f"{name}.bundle", f"{name}.csv"
            shortly = ("--experts", "3", "--config", "short_road.toml")
            (folder / "short_road.toml").write_text(
                "warm_epochs = 4\nepochs = 6\nchoice_epochs = 6\ntune_epochs = 2\n"
                "teacher_epochs = 0\n"
            )
            _run(folder, "train", "--data", data, "--out", run, *shortly)
            _run(folder, "convert", run, "--out", bundle)
            answer = json.loads(_run(folder, "run", bundle, "--json", example))
            found = json.loads(_run(folder, "evaluate", bundle, "--data", data, "--json"))
            version = ".".join(map(str, sys.version_info[:3]))
            print(f"Python {version}: {name}, {answer['label']}, accuracy {found['accuracy']:.3f}")
            if found["accuracy"] < LEAST:
                sys.exit(f"{name}: accuracy {found['accuracy']:.3f} is below {LEAST}")


def _run(folder: Path, *words: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "edge_experts", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"edge-experts {' '.join(words)}: exit {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
