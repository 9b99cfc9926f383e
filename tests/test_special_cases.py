"""No module but the tasks' own asks which task it is: read from the syntax tree of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The registries, and what they name.
OWN = (
    "converters/tasks",
    "converters/translation",
    "edge_experts/benchmarking/tasks",
    "edge_experts/cli/device/tasks",
    "edge_experts/datasets/documents",
    "edge_experts/datasets/targets",
    "edge_experts/datasets/translation",
    "edge_experts/experiments/tasks",
    "edge_experts/runtime/tasks",
    "edge_experts/training/language_model",
    "edge_experts/training/tasks",
    "edge_experts/training/translation",
    # Where the formats 1.x, which have no task_spec, are told apart.
    "edge_experts/format/manifest.py",
    "edge_experts/format/manifest_parser.py",
    "edge_experts/run_folder.py",
)
NAMES = {
    "classification",
    "translation",
    "regression",
    "language-model",
    "multi-label",
    "anomaly",
    "pieces",
}  # of tasks, and of their features
ASKED = {"generation", "task_type", "task_spec"}  # attributes that tell which task it is
CLASSES = {
    *("Classification", "Translation", "Regression", "Task"),
    *("ClassificationConversion", "RegressionConversion", "TranslationConversion"),
    *("ClassificationTraining", "RegressionTraining", "TranslationTraining", "LanguageTraining"),
    *("Generation", "PieceFeatures", "Translators", "Writer", "Written"),
    *("BytePairFeatures", "LanguageModel"),
    *("MultiLabel", "MultiLabelConversion", "MultiLabelTraining"),
    *("Anomaly", "AnomalyConversion", "AnomalyTraining"),
}


def special_cases(source: str) -> Iterator[int]:
    """Lines that compare what tells tasks apart, or ask for the class of a task's object."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            if any(map(_tells_tasks_apart, operands)) and not all(map(_is_of_a_task, operands)):
                yield node.lineno
        elif isinstance(node, ast.Match) and _tells_tasks_apart(node.subject):
            yield node.lineno
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "hasattr"):
            asked = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            probes = ast.unparse(node.func) == "hasattr" and "task" in ast.unparse(node.args[0])
            if probes or CLASSES & asked:
                yield node.lineno


def _tells_tasks_apart(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ASKED or (
            node.attr == "name" and ast.unparse(node.value).endswith("task")
        )
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value in NAMES
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(_tells_tasks_apart, node.elts))
    return False


def _is_of_a_task(node: ast.expr) -> bool:
    """Two runs, or a run and data, may be compared: they must be of one task."""
    if isinstance(node, ast.Tuple):
        return any(map(_is_of_a_task, node.elts))
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", None)
    return name in ASKED


def found(root: Path, own: tuple[str, ...] = OWN) -> list[str]:
    """Special cases of a checkout, as FILE:LINE."""
    paths = sorted(
        path for top in ("edge_experts", "converters") for path in (root / top).rglob("*.py")
    )
    names = {path: path.relative_to(root).as_posix() for path in paths}
    return [
        f"{names[path]}:{line}"
        for path in paths
        if not names[path].startswith(own)
        for line in special_cases(path.read_text())
    ]


def test_no_module_asks_which_task_it_is() -> None:
    assert found(ROOT) == []
    assert all((ROOT / own).exists() for own in OWN)


@pytest.mark.parametrize(
    "line",
    [
        "if manifest.generation is None: pass",
        "if runtime.task.name == 'translation': pass",
        "if dataset.kind == 'translation': pass",
        "if run.task_type in ('regression', 'x'): pass",
        "if run.task_spec is not None: pass",
        "if described.feature_kind == 'pieces': pass",
        "x = isinstance(answer, Written)",
        "x = isinstance(runtime.task, Translation)",
        "assert isinstance(features, PieceFeatures)",
        "x = hasattr(self.task, 'beams')",
        "match run.task_type:\n    case 'regression': pass",
    ],
)
def test_a_special_case_is_noticed(line: str) -> None:
    assert list(special_cases(line)) == [1]


def test_what_only_carries_a_task_is_none() -> None:
    carried = "spec = run.task_spec\ntask = TASKS.get(manifest.task_type)\nname = 'text'\n"
    compared = "if dataset.task_type != run.task_type: pass\n"
    assert list(special_cases(carried + compared)) == []
