"""Files that an attacker wrote, with right digests: refused by the browser, in bounded memory."""

from __future__ import annotations

import base64
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.format.npz import plain_arrays
from tests.attacks.test_hostile_arrays import _header, _npy, _zip
from tests.conftest import ROOT
from tests.tiny import model, weights_of

from . import features as inputs
from .conftest import Visiting

READ = """
    const { readArrays } = await load("edge-experts/npz.js");
    const bytes = Uint8Array.from(atob(given), (each) => each.charCodeAt(0));
    return (await readArrays(bytes)).size;"""
NUMBERS = b"\0" * 8
ATTACKS: dict[str, bytes] = {
    "not a zip": b"PK" + bytes(100),
    "empty": b"",
    "shape of more bytes": _zip(("a.npy", _npy(_header(shape="(2000000000, 9)"), NUMBERS))),
    "shape of fewer bytes": _zip(("a.npy", _npy(_header(shape="(1,)"), NUMBERS))),
    "objects": _zip(("a.npy", _npy(_header("'|O'"), NUMBERS))),
    "big-endian": _zip(("a.npy", _npy(_header("'>f4'"), NUMBERS))),
    "texts": _zip(("a.npy", _npy(_header("'<U1'"), NUMBERS))),
    "nine dimensions": _zip(("a.npy", _npy(_header(shape="(1,1,1,1,1,1,1,1,2)"), NUMBERS))),
    "negative": _zip(("a.npy", _npy(_header(shape="(-2, -1)"), NUMBERS))),
    "no header": _zip(("a.npy", b"\x93NUMPY\1\0\xff\xff")),
    "another version": _zip(("a.npy", _npy(_header(), NUMBERS, (9, 0)))),
    "too many": _zip(*((f"{index}.npy", _npy(_header(), NUMBERS)) for index in range(65))),
    "too large": _zip(("a.npy", _npy(_header(shape="(80000000,)"), bytes(4 * 80_000_000)))),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_arrays_are_refused(tiny_site: Path, visit: Visiting, name: str) -> None:
    content = ATTACKS[name]
    if name != "big-endian":  # which Python reads, and no bundle has
        with pytest.raises(ValueError, match=r".+"):
            plain_arrays(content)
    visited = visit(tiny_site)
    visited.open()
    kind, message = visited.refused(READ, base64.b64encode(content).decode())
    assert kind in ("Error", "RangeError", "TypeError")
    assert message


def _mutations(content: bytes, count: int) -> list[str]:
    chance, made = random.Random(0), []
    for _ in range(count):
        raw = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            odd = (0, 1, 0x7F, 0xFF, chance.randrange(256))
            raw[chance.randrange(len(raw))] = chance.choice(odd)
        if chance.random() < 0.5:
            del raw[chance.randrange(len(raw)) :]
        made.append(base64.b64encode(raw).decode())
    return made


def test_mutated_arrays_and_settings_raise_nothing_else(tiny_site: Path, visit: Visiting) -> None:
    """Any bytes give arrays or an error, and any arrays give features or a BundleError."""
    visited = visit(tiny_site)
    visited.open()
    script = """
        const { readArrays } = await load("edge-experts/npz.js");
        const { restore } = await load("edge-experts/features/kinds.js");
        const counts = {};
        for (const text of given.mutations) {
            let told = "restored";
            try {
                const raw = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
                const arrays = await readArrays(raw);
                try { restore(given, arrays, "features"); } catch (error) { told = error.name; }
            } catch (error) {
                told = "refused";
            }
            counts[told] = (counts[told] ?? 0) + 1;
        }
        return counts;"""
    for features in (
        next(inputs.text_features(["a b", "c d", "e f"])),
        next(inputs.table_features()),
        next(inputs.array_features()),
    ):
        given: dict[str, Any] = inputs.files(features)
        plain = _zip(*((f"{name}.npy", _stored(array)) for name, array in features.arrays.items()))
        given["mutations"] = _mutations(plain, 200)
        counts = visited.run(script, given)
        assert set(counts) <= {"restored", "refused", "BundleError"}
        assert counts["refused"] > 50


def _stored(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, np.asarray(array))
    return content.getvalue()


def test_mutated_models_raise_nothing_else(tiny_site: Path, visit: Visiting) -> None:
    """Ports are read from any bytes, or a ModelError says why not; the interpreter sees none."""
    visited = visit(tiny_site)
    visited.open()
    script = """
        const { readPorts } = await load("edge-experts/tflite.js");
        const counts = {};
        for (const text of given) {
            let told = "read";
            try {
                readPorts(Uint8Array.from(atob(text), (each) => each.charCodeAt(0)), "model");
            } catch (error) { told = error.name; }
            counts[told] = (counts[told] ?? 0) + 1;
        }
        return counts;"""
    counts = visited.run(script, _mutations(model(weights_of(0)), 1000))
    assert set(counts) == {"read", "ModelError"}
    assert min(counts.values()) > 50


@pytest.mark.parametrize(
    "name", ["router_with_trunk", "expert_on_trunk", "three_outputs", "integer"]
)
def test_ports_are_those_of_the_interpreter(tiny_site: Path, visit: Visiting, name: str) -> None:
    content = (ROOT / "tests" / "device" / "models" / f"{name}.tflite").read_bytes()
    visited = visit(tiny_site)
    visited.open()
    script = """
        const { readPorts } = await load("edge-experts/tflite.js");
        const raw = Uint8Array.from(atob(given), (each) => each.charCodeAt(0));
        const { inputs, outputs } = readPorts(raw, "model");
        return [inputs, outputs].map((list) => list.map((one) => [one.name, one.shape]));"""
    given = base64.b64encode(content).decode()
    if name == "integer":
        assert "quantized" in visited.refused(script, given)[1]
        return
    found = visited.run(script, given)
    told = subprocess.run(
        [sys.executable, "-c", _PORTS], input=content, capture_output=True, check=True
    ).stdout
    assert found == json.loads(told)


_PORTS = """
import json, sys
from edge_experts.runtime.interpreter import open_interpreter, tensors
ports = tensors(open_interpreter(sys.stdin.buffer.read(), "model", 1, "xnnpack"))
print(json.dumps([[[one.name, list(one.form[0])] for one in some] for some in ports]))
"""
