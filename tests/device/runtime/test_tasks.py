"""Tasks: one place asks a manifest for its task, and the runtime's main path is plain calls."""

from __future__ import annotations

import ast
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.tasks import TASKS, task_class
from tests.tiny import INPUTS, tiny_bundle

PACKAGE = Path(__file__).parents[3] / "edge_experts"
LAYERS = ("features", "runtime", "benchmarking", "serving", "updates", "cli/device")
# The registries, and the tasks themselves.
OWN = ("runtime/tasks", "cli/device/tasks", "benchmarking/tasks")
CLASSES = {"Classification", "Translation", "Regression", "Task", "Writer", "Written"}
CLASSES |= {"Estimate", "Estimates"}
# Attributes that tell a task from another one.
TELLING = {"generation", "task_spec", "task_type"}
KEYS = {"generation", "task_spec", "translation", "classification", "regression"}


def special_cases(source: str) -> Iterator[int]:
    """Lines that choose by task: by its name, what only one has, or the class of its objects."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            if any(map(_tells, operands)):
                yield node.lineno
        if isinstance(node, ast.Match | ast.If | ast.IfExp | ast.While) and _tells(
            node.subject if isinstance(node, ast.Match) else node.test
        ):
            yield node.lineno
        if isinstance(node, ast.BoolOp) and any(map(_tells, node.values)):
            yield node.lineno
        if isinstance(node, ast.UnaryOp) and _tells(node.operand):
            yield node.lineno
        if isinstance(node, ast.Subscript) and _tells(node.slice):  # a table by task
            yield node.lineno
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".get"):
            owner = ast.unparse(node.func).split(".")[-2]
            if any(map(_tells, node.args)) and not owner.isupper():  # no registry
                yield node.lineno
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "hasattr"):
            if CLASSES & {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}:
                yield node.lineno
            if ast.unparse(node.func) == "hasattr" and "task" in ast.unparse(node.args[0]):
                yield node.lineno


def _tells(node: ast.expr) -> bool:
    """True for an expression that is another one for each task."""
    if isinstance(node, ast.Attribute):
        of_task = node.attr == "name" and ast.unparse(node.value).endswith("task")
        return of_task or node.attr in TELLING
    return isinstance(node, ast.Constant) and node.value in KEYS


def _files() -> list[Path]:
    found = [path for layer in LAYERS for path in sorted((PACKAGE / layer).rglob("*.py"))]
    return [path for path in found if not any(str(PACKAGE / own) in str(path) for own in OWN)]


def test_no_device_module_asks_which_task_it_is() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in _files()
        for line in special_cases(path.read_text())
    ]
    # What a benchmark measured of a row, and draws where it is there, is no task's special case.
    assert [place for place in found if not place.startswith("benchmarking/report/")] == []
    assert len(_files()) > 60


@pytest.mark.parametrize(
    "line",
    [
        "if manifest.generation is None: pass",
        "if runtime.manifest.generation is not None: pass",
        "if runtime.task.name == 'translation': pass",
        "x = isinstance(answer, Written)",
        "x = isinstance(runtime.task, Translation)",
        "x = hasattr(self.task, 'beams')",
        "if 'regression' == kind: pass",
        "x = 1 if manifest.task_spec else 2",
        "x = _OF_TASK[runtime.task.name]",
        "x = content.get('generation')",
        "x = tables.get(manifest.task_type)",
        "match manifest.task_type:\n    case _: pass",
        "x = isinstance(answer, Estimate)",
        "if manifest.generation and routed: pass",
        "x = not manifest.task_spec",
    ],
)
def test_a_special_case_is_noticed(line: str) -> None:
    assert list(special_cases(line)) == [1]


def test_a_bundle_without_generation_is_of_classification(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    assert task_class(read_manifest(bundle)) is TASKS.get("classification")
    with ExpertRuntime(bundle) as runtime:
        assert runtime.task.watched
        example = INPUTS[0]
        assert runtime.task.parts(example)[0] is example
        answers = [runtime.predict(one) for one in INPUTS]
        assert runtime.task.joined(answers[:1]) is answers[0]
        assert runtime.task.golden_arrays(answers) == {}


def test_a_runtime_that_is_closed_says_so_however_it_is_asked(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    runtime = ExpertRuntime(bundle)
    arrays = runtime.features.encode(INPUTS[0])
    runtime.close()
    for ask in (
        lambda: runtime.predict(INPUTS[0]),
        lambda: runtime.predict_batch(INPUTS),
        lambda: runtime.predict_arrays(arrays),
    ):
        with pytest.raises(UsageError, match="closed"):
            ask()


def test_an_observer_that_fails_makes_no_second_answer(tmp_path: Path) -> None:
    calls: list[object] = []

    def observer(gate: object, output: object) -> None:
        calls.append(output)
        raise OSError("the log is full")

    with ExpertRuntime(tiny_bundle(tmp_path / "tiny.bundle")) as runtime:
        runtime.observer = observer
        with pytest.raises(OSError, match="the log is full"):
            runtime.predict(INPUTS[0])
        assert len(calls) == 1
        assert runtime.quarantined == {}


def test_a_runtime_that_is_dropped_frees_its_experts_at_once(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    gc.disable()  # a cycle of references would wait for it
    try:
        runtime = ExpertRuntime(bundle)
        runtime.predict(INPUTS[0])
        runtime.predict_batch(INPUTS)
        experts = weakref.ref(runtime._experts)
        del runtime
        assert experts() is None
    finally:
        gc.enable()
