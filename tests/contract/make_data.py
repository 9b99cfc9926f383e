"""Maker of tests/data/v0_1_0, to be run on the commit that it records: 0.1.0.

    python -m tests.contract.make_data            all of it, in about ten minutes
    python -m tests.contract.make_data STAGE ...  some stages, in the order of `STAGES`

It ran once, with Python 3.11, TensorFlow 2.19.1 and tflite-runtime 2.14; snapshots/machine.json
says on which processor. Later versions read what it made, and change none of it. In the commands
of benchmark.json and comparison.json the paths of temporary folders were cut off by hand.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import ROOT

from . import answers, commands, reports, saved, sources
from .data import (
    ANSWERS,
    BUNDLES,
    DATA,
    OPTIONS,
    RUNS,
    conversions,
    processor,
    versions,
)
from .making import fresh, run, write_snapshot
from .shapes import shape, union
from .trainings import make_other_runs, make_runs, make_sources


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def make_bundles(temporary: Path) -> None:
    """Convert every run in every recipe, twice, and keep the bundles in int8 and one in float32."""
    fresh(BUNDLES)
    digests: dict[str, Any] = {}
    printed: dict[str, list[Any]] = {}
    for name, recipe in conversions():
        made: list[dict[str, str]] = []
        for turn in range(2):
            out = temporary / f"{name}_{recipe}_{turn}.bundle"
            options = ("--quantization", recipe, "--no-cache", *OPTIONS.get(name, ()))
            text = run("convert", RUNS / f"{name}.run", "--out", out, *options, "--json")
            if recipe == "int8" and name in ("table", "translation"):
                printed.setdefault(name, []).append(shape(json.loads(text)))
            found = _digests(out)
            models = [path for path in found if path.endswith(".tflite")]
            made.append({path: found[path] for path in [*models, "features.npz"] if path in found})
        if made[0] != made[1]:
            raise SystemExit(f"{name} in {recipe} is not deterministic: {made}")
        digests[f"{name} {recipe}"] = made[0]
        kept = {"int8": name, "float32": f"{name}_float32"}.get(recipe)
        if kept is not None and kept != "table_float32":
            shutil.copytree(out, BUNDLES / f"{kept}.bundle")
        print(name, recipe, flush=True)
    write_snapshot("model_digests", digests)
    write_snapshot("convert_shapes", {name: union(shapes) for name, shapes in printed.items()})
    write_snapshot("machine", {"processor": processor(), "versions": versions()})


def make_c(temporary: Path) -> None:
    """Convert for a microcontroller, and record the C source."""
    out = BUNDLES / "microcontroller.bundle"
    shutil.rmtree(out, ignore_errors=True)
    run("convert", RUNS / "table.run", "--out", out, "--target", "microcontroller", "--no-cache")
    found = []
    for turn in range(2):
        run("export-c", out, "--out", temporary / f"c{turn}")
        found.append(_digests(temporary / f"c{turn}"))
    if found[0] != found[1]:
        raise SystemExit(f"C source is not deterministic: {found}")
    write_snapshot("c_source_digests", found[0])


def make_updates(temporary: Path) -> None:
    """Make versions, signed and not, install roots that have a history, and archives."""
    made = {}
    for version, recipe in enumerate(("int8", "float32", "dynamic", "float16"), start=1):
        made[version] = out = temporary / f"{version}.bundle"
        options = ("--quantization", recipe, "--bundle-version", version, "--no-cache")
        run("convert", RUNS / "table.run", "--out", out, *options)
        _record(f"version_{version}", out, np.array(sources.table_inputs()))
    key = temporary / "contract.key"
    run("keygen", key)
    shutil.copy(f"{key}.pub", DATA / "contract.key.pub")
    signed = {}
    for version, bundle in made.items():
        signed[version] = Path(shutil.copytree(bundle, temporary / f"signed_{version}.bundle"))
        run("sign", signed[version], "--key", key)
    shutil.rmtree(BUNDLES / "signed.bundle", ignore_errors=True)
    shutil.copytree(signed[1], BUNDLES / "signed.bundle")
    run("pack", made[4], "--out", DATA / "next.zip")
    run("pack", signed[4], "--out", DATA / "next_signed.zip")
    run("pack", made[4], "--since", made[1], "--out", DATA / "next_since_1.zip")
    installed = {}
    trust: tuple[object, ...] = ("--trust", DATA / "contract.key.pub")
    for name, bundles, more in (("installed", made, ()), ("installed_signed", signed, trust)):
        root = temporary / name
        for version in (1, 2, 3):
            run("install", bundles[version], root, "--keep", 3, *more)
        run("rollback", root)
        # What an install that lost power leaves behind.
        half = root / "versions/.5-0123456789ab.0a1b2c3d.partial/experts"
        half.mkdir(parents=True)
        (half / "000.tflite").write_bytes((made[1] / "experts/000.tflite").read_bytes()[:1000])
        with tarfile.open(DATA / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(root, name)
        installed[name] = sorted(path.name for path in (root / "versions").iterdir())
    write_snapshot("installed", installed)


def _record(name: str, bundle: Path, inputs: np.ndarray) -> None:
    ANSWERS.mkdir(exist_ok=True)
    found = answers.ask_bundle(bundle, inputs)
    found.write(ANSWERS / f"{name}.npz", inputs)
    labels, counts = np.unique(found.texts, return_counts=True)
    shown = dict(list(zip(labels.tolist(), counts.tolist(), strict=True))[:4])
    print(name, shown, np.unique(found.experts, return_counts=True), flush=True)


def make_answers(temporary: Path) -> None:
    """Ask every bundle."""
    for bundle in sorted(BUNDLES.iterdir()):
        kind = bundle.stem.split("_")[0]
        kind = {"microcontroller": "table", "signed": "table"}.get(kind, kind)
        _record(bundle.stem, bundle, np.array(getattr(sources, f"{kind}_inputs")()))


def make_wheel(temporary: Path) -> None:
    """Write what a workstation with 0.1.0 sends to boards, and a result to make pages of."""
    from edge_experts.deploying import own_wheel

    own_wheel.write(DATA)
    text = run("benchmark", reports.TABLE, "--rounds", 3, "--json")
    (DATA / "benchmark.json").write_text(text)


def make_snapshots(temporary: Path) -> None:
    """Describe commands, errors, imports, manifests and saved classes."""
    from edge_experts import errors

    write_snapshot("commands", commands.describe())
    module = [sys.executable, "-m", "tests.contract.surface"]
    done = subprocess.run(module, cwd=ROOT, check=True, capture_output=True, text=True)
    write_snapshot("public_imports", json.loads(done.stdout))
    write_snapshot("exit_codes", {
        name: {"exit_code": thing.exit_code, "base": thing.__mro__[1].__name__}
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and thing is not errors.RemoteError
        and issubclass(thing, errors.EdgeExpertsError)
    } | {"RemoteError": {"exit_code": None, "base": "EdgeExpertsError"}})  # fmt: skip
    manifests = {path.stem: json.loads((path / "manifest.json").read_text())
                 for path in sorted(BUNDLES.iterdir())}  # fmt: skip
    write_snapshot("manifest_schema", {name: shape(one) for name, one in manifests.items()})
    kept = ("format_version", "task", "labels", "combine", "top_k", "features", "generation")
    facts = {name: {key: one[key] for key in kept if key in one}
             for name, one in manifests.items()}  # fmt: skip
    write_snapshot("manifest_facts", facts)
    runs = sorted(RUNS.glob("*.run"))
    write_snapshot("saved_classes", {run.stem: saved.classes(run / "model.keras") for run in runs})
    found = {}
    for way in ("plain", "with-training"):
        command = [sys.executable, "-m", "tests.contract.saved", way, *map(str, runs)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        found[way] = json.loads(done.stdout)
    write_snapshot("loaded_models", found)
    print(found)


def make_deploy(temporary: Path) -> None:
    """Record what `deploy --json` prints, with the benchmark on the board; it needs sshd."""
    from tests.deploying.sshd import Server

    (temporary / "sshd").mkdir()
    # Results are kept beside the bundle.
    bundle = shutil.copytree(reports.TABLE, temporary / "table.bundle")
    made = []
    with Server(temporary / "sshd") as server:
        server.board("measured")
        for turn in range(3):
            given = (f"--name=turn{turn}", "--ssh", server.ssh, "--json")
            text = run("deploy", bundle, "measured", *given)
            made.append(shape(json.loads(text)))
    write_snapshot("deploy_shape", union(made))


def make_json(temporary: Path) -> None:
    """Run every command that prints JSON; benchmarks several times, since parts may be null."""
    found = {}
    for name, report in reports.REPORTS.items():
        turns = 3 if name.startswith("benchmark") else 1
        made = []
        for turn in range(turns):
            folder = temporary / f"{name} {turn}".replace(" ", "_")
            folder.mkdir()
            made.append(report.shape(folder))
            if name == "compare":
                shutil.copy(folder / "compared/comparison.json", DATA)
        found[name] = union(made)
        print(name, flush=True)
    write_snapshot("json_shapes", found)


STAGES: dict[str, Callable[[Path], None]] = {
    "sources": make_sources,
    "runs": make_runs,
    "other-runs": make_other_runs,
    "bundles": make_bundles,
    "c": make_c,
    "updates": make_updates,
    "answers": make_answers,
    "wheel": make_wheel,
    "snapshots": make_snapshots,
    "deploy": make_deploy,
    "json": make_json,
}


if __name__ == "__main__":
    DATA.mkdir(parents=True, exist_ok=True)
    for stage in sys.argv[1:] or STAGES:
        with tempfile.TemporaryDirectory() as folder:
            STAGES[stage](Path(folder))
