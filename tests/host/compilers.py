"""C compilers, which CI has and a user may not have, and what breaks careless C."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

LABELS = ('say "?" twice??/', "gélb */", "back\\slash")


def compiler(name: str) -> str:
    """A compiler that CI must have (.ci/run installs it)."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed: apt-get install gcc-arm-none-eabi (see .ci/run)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(f"C SOURCE NOT COMPILED: {reason}")
    return found


def compile_(name: str, *arguments: object) -> None:
    done = subprocess.run(
        [compiler(name), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
