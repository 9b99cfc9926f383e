"""Import graph and layers of small source trees, and of this checkout."""

from __future__ import annotations

from pathlib import Path

from benchmarks.structure import SourceStructure, measure
from tests.benchmarks.source_tree import write

CHECKOUT = Path(__file__).parents[2]
CONTRACT = """
[[tool.importlinter.contracts]]
name = "Layers"
type = "layers"
layers = [
    "edge_experts.cli",
    "(edge_experts.updates) | edge_experts.benchmarking",
    "edge_experts.runtime",
    "edge_experts.errors : edge_experts.progress",
]
[[tool.importlinter.contracts]]
name = "Inside runtime"
type = "layers"
containers = ["edge_experts.runtime"]
layers = ["engine", "memory"]
[[tool.importlinter.contracts]]
name = "No TensorFlow"
type = "forbidden"
source_modules = ["edge_experts.runtime"]
forbidden_modules = ["tensorflow"]
"""


def pairs(figures: SourceStructure) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {
        (pair.importer, pair.imported): (pair.top_level, pair.lazy, pair.type_checking)
        for pair in figures.imports.unit_pairs
    }


def test_imports_of_every_form_are_resolved_to_units(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "edge_experts/__init__.py": '__version__ = "1"\n',
            "edge_experts/errors.py": "class WrongError(Exception): ...\n",
            "edge_experts/runtime/engine.py": (
                "import json, edge_experts.errors\n"
                "from typing import TYPE_CHECKING\n"
                "from .. import __version__, errors\n"
                "from . import routing\n"
                "if TYPE_CHECKING:\n"
                "    from ..converters.convert import convert\n"
                "else:\n"
                "    from edge_experts.features import text\n"
            ),
            "edge_experts/runtime/routing.py": "from .engine import run\n",
            "edge_experts/features/text.py": (
                "class Text:\n"
                "    def read(self):\n"
                "        if self:\n"
                "            from ..errors import WrongError\n"
            ),
            "converters/convert.py": "from ..runtime import engine\nfrom ..runtime import run\n",
            "device_tests/test_board.py": (
                "from edge_experts import ExpertRuntime\nfrom converters.convert import convert\n"
            ),
        },
    )
    figures = measure(root)
    assert pairs(figures) == {
        ("runtime", "errors"): (2, 0, 0),
        ("runtime", "__init__"): (1, 0, 0),
        ("runtime", "converters"): (0, 0, 1),
        ("runtime", "features"): (1, 0, 0),
        ("features", "errors"): (0, 1, 0),
        ("converters", "runtime"): (2, 0, 0),
        ("device_tests", "__init__"): (1, 0, 0),
        ("device_tests", "converters"): (1, 0, 0),
    }
    assert figures.imports.unit_cycles == (("converters", "runtime"),)
    assert figures.imports.unit_cycles_at_run_time == ()
    assert figures.imports.file_cycles == (
        (
            "edge_experts.converters.convert",
            "edge_experts.runtime.engine",
            "edge_experts.runtime.routing",
        ),
    )
    assert figures.imports.file_cycles_at_run_time == (
        ("edge_experts.runtime.engine", "edge_experts.runtime.routing"),
    )


def test_cycle_of_units_is_reported_and_its_absence_too(tmp_path: Path) -> None:
    cycle = {
        "edge_experts/training/fit.py": "def fit():\n    from ..datasets import rows\n",
        "edge_experts/datasets/rows.py": "from ..run_folder import read\n",
        "edge_experts/run_folder.py": "from .training.fit import fit\n",
    }
    assert measure(write(tmp_path / "cycle", cycle)).imports.unit_cycles == (
        ("datasets", "run_folder", "training"),
    )
    # Through the package's __init__, which Python imports with its modules, there is no cycle.
    chain = cycle | {
        "edge_experts/run_folder.py": "",
        "edge_experts/__init__.py": "from .training import fit\n",
    }
    figures = measure(write(tmp_path / "chain", chain))
    assert figures.imports.unit_cycles == figures.imports.file_cycles == ()


def test_upward_imports_by_the_built_in_order(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "edge_experts/bundle.py": "def read():\n    from .runtime import engine\n",
            "edge_experts/runtime/engine.py": "from .. import bundle\n",
            "edge_experts/serving/routes.py": "from ..deploying import ssh\n",
            "edge_experts/deploying/ssh.py": "from ..runtime import engine\n",
            "edge_experts/html_report/page.py": "from ..benchmarking import row\n",
            "edge_experts/benchmarking/row.py": "from benchmarks import speed\n",
            "edge_experts/datasets/rows.py": "from .. import features\n",
            "edge_experts/features/text.py": "from ..datasets.rows import read\n",
            "edge_experts/novelty.py": "from .cli import app\n",
            "edge_experts/cli/app.py": "",
            "benchmarks/speed.py": "from edge_experts.cli import app\n",
        },
    )
    layers = measure(root).layers
    assert layers.source == "built-in table"
    assert [(edge.path, edge.line, edge.imported, edge.kind) for edge in layers.upward_imports] == [
        ("edge_experts/benchmarking/row.py", 1, "benchmarks.speed", "top-level"),
        ("edge_experts/bundle.py", 2, "edge_experts.runtime.engine", "lazy"),
        ("edge_experts/features/text.py", 1, "edge_experts.datasets.rows", "top-level"),
        ("edge_experts/serving/routes.py", 1, "edge_experts.deploying.ssh", "top-level"),
    ]
    assert layers.upward_pairs == (
        ("benchmarking", "benchmarks"),
        ("bundle", "runtime"),
        ("features", "datasets"),
        ("serving", "deploying"),
    )
    assert layers.unlayered_units == ("__init__", "novelty")
    assert [(count.name, count.files) for count in layers.lines][:3] == [
        ("format, compression", 1),
        ("features", 2),
        ("datasets", 2),
    ]


def test_upward_imports_by_the_contracts_of_the_project_file(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "pyproject.toml": CONTRACT,
            "edge_experts/errors.py": "from .progress import report\n",
            "edge_experts/progress.py": "from .errors import Wrong\n",
            "edge_experts/runtime/memory.py": "from .engine import run\n",
            "edge_experts/runtime/engine.py": "from ..cli import app\n",
            "edge_experts/updates/install.py": "from ..benchmarking import row\n",
            "edge_experts/benchmarking/row.py": "from ..runtime import engine\n",
            "edge_experts/cli/app.py": "from benchmarks import speed\nfrom .. import updates\n",
            "benchmarks/speed.py": "",
        },
    )
    layers = measure(root).layers
    assert layers.source == "pyproject.toml"
    assert [
        (edge.path, edge.importer_layer, edge.imported_layer) for edge in layers.upward_imports
    ] == [
        ("edge_experts/cli/app.py", "cli", "benchmarks, device_tests"),
        ("edge_experts/runtime/engine.py", "runtime", "cli"),
        ("edge_experts/runtime/memory.py", "runtime.memory", "runtime.engine"),
        ("edge_experts/updates/install.py", "updates, benchmarking", "updates, benchmarking"),
    ]
    assert layers.unlayered_units == ("__init__",)
    assert [count.name for count in layers.lines] == [
        *("errors, progress", "runtime", "updates, benchmarking", "cli"),
        *("benchmarks, device_tests", "in no layer"),
    ]


def test_this_checkout_has_no_cycle_and_no_upward_import() -> None:
    figures = measure(CHECKOUT)
    assert figures.layers.source == "pyproject.toml"
    assert figures.imports.unit_cycles == ()
    assert figures.imports.file_cycles == ()
    assert figures.layers.upward_imports == ()
