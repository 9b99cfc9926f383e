from __future__ import annotations

import platform
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import installation
from ..shared_options import Json, print_json

if TYPE_CHECKING:
    from ...runtime.memory.memory_lock import Locked

# Packages that each extra of pyproject.toml adds to those of the other extras.
PACKAGES = {
    "device": ("tflite-runtime", "ai-edge-litert"),  # one of them
    "cli": ("typer", "tqdm"),
    "sign": ("cryptography",),
    "tokenizers": ("tokenizers",),
    "chat": ("jinja2",),
    "deploy": ("packaging", "pip"),
    "serve": ("prometheus-client", "starlette", "uvicorn"),
    "cluster": ("distributed",),
    "gguf": ("gguf",),
    "int4": ("litert-quantizer",),
    "metrics": ("prometheus-client",),
    "train": ("tensorflow", "tf-keras", "tensorflow-model-optimization"),
    "translation": ("sacrebleu", "sentencepiece"),
    "images": ("pillow",),
    "report": ("jinja2", "matplotlib", "msgspec"),
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
    "dev": (
        *("build", "coverage", "hypothesis", "import-linter", "jsonschema", "mkdocs-material"),
        *("mkdocstrings", "mypy", "openai", "playwright", "pytest", "pytest-xdist", "ruff"),
        "tritonclient",
    ),
}


ENABLES = {
    "device": "run, evaluate, benchmark, verify, install",
    "cli": "the command line",
    "sign": "keygen, sign, install --trust",
    "tokenizers": "language models with a tokenizer.json",
    "chat": "chat, and chat completions over HTTP",
    "deploy": "deploy and fleet",
    "serve": "serve, the HTTP server",
    "cluster": "--scheduler, for convert and compare on several machines",
    "gguf": "convert MODEL.gguf",
    "int4": "convert --quantization int4, of language models",
    "metrics": "metrics for Prometheus, in a Python program",
    "train": "train, extend, adopt, compare, convert",
    "translation": "translators, and scores of translations",
    "images": "photos",
    "report": "benchmark --report, report, fleet --report, pictures",
    "onnx": "export-onnx, benchmark --against MODEL.onnx",
    "dev": "tests and checks of this project",
}
_INDENT, _WIDTH = 14, 80  # columns


def doctor(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            help="Installed bundle; how its experts are loaded here, and why.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check the installation by running a tiny model.

    The exit code is 4 if the device part does not work. Packed experts, which language models load
    faster, are tried in a separate process.

    Example: edge-experts doctor

    Example: edge-experts doctor /srv/model
    """
    from ...errors import EdgeExpertsError
    from ...runtime import ExpertRuntime, selfcheck
    from ...runtime.packed import support

    unpacked = support.problem()
    residency: dict[str, Any] | None = None
    locked: Locked | None = None
    if bundle is not None:
        with ExpertRuntime(bundle) as runtime:
            found, locked = runtime.scheme, runtime.locked
        residency = {"scheme": found.name, "reason": found.reason, "slot_times": dict(found.times)}

    packages = {
        extra: {name: _version(name) for name in names} for extra, names in PACKAGES.items()
    }
    problem: EdgeExpertsError | None = None
    interpreter: dict[str, str] = {}
    try:
        interpreter = selfcheck.run_tiny_model()
    except EdgeExpertsError as error:
        problem = error
    missing = [
        extra
        for extra, versions in packages.items()
        if (None in versions.values() if extra != "device" else not any(versions.values()))
    ]
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "python": platform.python_version(),
                "machine": platform.machine(),
                "numpy": _version("numpy"),
                "packages": packages,
                "missing_extras": missing,
                "interpreter": interpreter or None,
                "packed_experts": {"work": not unpacked, "problem": unpacked or None},
                "residency": residency,
                "locked_memory": None if locked is None else asdict(locked),
                "problem": None if problem is None else str(problem),
            }
        )
    else:
        print(
            f"Python {platform.python_version()} on {platform.machine()}, numpy {_version('numpy')}"
        )
        for extra, versions in packages.items():
            print("\n".join(_lines(extra, versions)))
        if interpreter:
            print(
                f"A tiny model ran on {interpreter['interpreter']} {interpreter['version']}: "
                "the device part works."
            )
        print(f"Packed experts of language models: {unpacked or 'they work here'}.")
        if residency is not None:
            why = f" ({residency['reason']})" if residency["reason"] else ""
            print(f"{bundle}: experts are loaded by the scheme {residency['scheme']!r}{why}.")
            for setting, ratio in residency["slot_times"].items():
                print(f"  {setting}: a slot takes {ratio:.2f} of an interpreter's time")
            if locked is not None:
                print(f"  {locked.told()}")
        if missing:
            print(
                f"Not installed: {', '.join(missing)}. To add one, such as {missing[0]}: "
                f"{installation.command(missing[0])}",
                file=sys.stderr,
            )
    if problem is not None:
        raise problem


def _lines(extra: str, versions: Mapping[str, str | None]) -> list[str]:
    """Say what an extra is for, and what of it is installed."""
    found = ", ".join(f"{name} {version or '-'}" for name, version in versions.items())
    indent = " " * _INDENT
    told = textwrap.wrap(found, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [f"  {extra:<{_INDENT - 2}}{ENABLES[extra]}", *told]


def _version(package: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
