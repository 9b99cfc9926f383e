"""Runs a notebook's cells in their order, without Jupyter.

    python -m tests.examples.notebook FILE.ipynb [--write]

prints what the cells print; `--write` puts outputs and figures into the file. It takes what this
project's notebooks have: cells of Python that print and show figures of matplotlib.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

Output = dict[str, Any]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(notebook: dict[str, Any]) -> list[list[Output]]:
    """Outputs of each cell of code, in nbformat 4; an error of a cell is raised."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names: dict[str, Any] = {"__name__": "__main__"}
    outputs = []
    for number, cell in enumerate(code_cells(notebook)):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
        found: list[Output] = []
        if printed.getvalue():
            lines = printed.getvalue().splitlines(keepends=True)
            found.append({"name": "stdout", "output_type": "stream", "text": lines})
        for figure in map(pyplot.figure, pyplot.get_fignums()):
            image = io.BytesIO()
            figure.savefig(image, format="png", dpi=80, metadata={"Software": None})
            data = {"image/png": base64.b64encode(image.getvalue()).decode()}
            found.append({"data": data, "metadata": {}, "output_type": "display_data"})
        pyplot.close("all")
        outputs.append(found)
    return outputs


def kinds(outputs: list[list[Output]]) -> list[list[str]]:
    return [[one["output_type"] for one in cell] for cell in outputs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--write", action="store_true", help="put the outputs into the file")
    arguments = parser.parse_args()
    path = arguments.notebook.resolve()
    notebook = read(path)
    outputs = run(notebook)
    for number, (cell, found) in enumerate(zip(code_cells(notebook), outputs, strict=True), 1):
        cell["outputs"], cell["execution_count"] = found, number
    text = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
    if arguments.write:
        path.write_text(text, encoding="utf-8")
    else:
        os.write(1, text.encode())


if __name__ == "__main__":
    main()
