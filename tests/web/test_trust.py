"""Files that are not those of the manifest, manifests that are not one, and signatures."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_experts.errors import EdgeExpertsError
from edge_experts.format.manifest import MANIFEST, SIGNATURE, sha256
from edge_experts.format.manifest_parser import parse_manifest
from edge_experts.format.npz import npz
from edge_experts.updates import signing
from tests.attacks.bundles import replaced, rewritten
from tests.attacks.manifests import odd_manifests
from tests.tiny import INPUTS, PICKED

from .conftest import Visiting
from .test_site import FIRST, OPEN, SECOND

SCORES = np.array([[0.9, 0.1]] * 4, np.float32)
STRICT = f"{OPEN} return bundle.predict(given.example);"


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _exchange(path: Path) -> None:
    path.write_bytes((path.parent / "001.tflite").read_bytes())


@pytest.mark.parametrize("damage", [_flip, _truncate, _lengthen, _exchange, Path.unlink])
def test_another_expert_stands_in_for_a_damaged_one(
    site: Path, visit: Visiting, damage: Callable[[Path], None]
) -> None:
    damage(site / "bundle" / "experts" / "000.tflite")
    visited = visit(site, expected="404")
    visited.open()
    answer = visited.run(STRICT, {"example": FIRST})
    assert answer["expert"] == 1
    assert answer["degraded"]
    assert answer["reason"].startswith("expert 0: ")
    assert "experts/000.tflite: " in answer["reason"]
    name, message = visited.refused(STRICT, {"example": FIRST, "options": {"strict": True}})
    assert name == "DigestError"
    assert "missing" in message or "differs from the manifest" in message
    assert not visited.run(STRICT, {"example": SECOND})["degraded"]


@pytest.mark.parametrize("path", ["router.tflite", "features.npz"])
def test_a_damaged_file_of_all_answers_is_refused(site: Path, visit: Visiting, path: str) -> None:
    _flip(site / "bundle" / path)
    assert "differs from the manifest" in visit(site).open()


def test_models_that_do_not_fit_are_refused(site: Path, visit: Visiting) -> None:
    """Their digests are right: the interpreter accepts what it should not."""

    def use(raw: bytes) -> None:
        (site / "bundle" / "router.tflite").write_bytes(raw)
        digest = {"bytes": len(raw), "sha256": sha256(raw)}
        rewritten(site / "bundle", lambda content: content["router"].update(digest))

    shape = Path(__file__).parents[1] / "device" / "models" / "one_output.tflite"
    visited = visit(site)
    for raw, told in (
        (shape.read_bytes(), "must have the shape (1,2)"),
        (b"TFL3" * 100, "not a TFLite file"),
        (b"", "not a TFLite file"),
    ):
        use(raw)
        assert told in visited.open()


def test_a_changed_manifest_is_refused(site: Path, visit: Visiting) -> None:
    path = site / "bundle" / MANIFEST
    path.write_text(path.read_text().replace('"up"', '"down!"'))
    assert "its digest differs" in visit(site).open()


@pytest.mark.parametrize("every", [pytest.param(20, id="some"), pytest.param(1, id="all")])
def test_manifests_are_accepted_and_refused_as_by_python(
    site: Path, visit: Visiting, every: int
) -> None:
    visited = visit(site)
    visited.open()
    manifests = list(odd_manifests())[::every]
    script = """
        const { parseManifest } = await load("edge-experts/manifest.js");
        const found = [];
        for (const text of given) {
            const raw = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
            try {
                await parseManifest(raw, "manifest.json");
                found.push("");
            } catch (error) {
                found.push(`${error.name}: ${error.message}`);
            }
        }
        return found;"""
    found = visited.run(script, [base64.b64encode(raw).decode() for raw in manifests])
    different = []
    for raw, told in zip(manifests, found, strict=True):
        try:
            parse_manifest(raw)
            said = ""
        except EdgeExpertsError as error:
            said = f"{type(error).__name__}: {error}"
        if (told == "") != (said == ""):
            different.append((raw[:200], said[:200], told[:200]))
    assert different == []
    assert len(manifests) > 250


def test_a_signature_is_checked(site: Path, tmp_path: Path, visit: Visiting) -> None:
    bundle = site / "bundle"
    keys = [signing.keygen(tmp_path / name) for name in ("my.key", "other.key")]
    mine, other = (key.pem.decode() for key in keys)
    signing.sign(bundle, tmp_path / "my.key")
    visited = visit(site, expected="404")
    visited.open()
    assert visited.run(STRICT, {"example": FIRST, "options": {"publicKey": mine}})["expert"] == 0
    for options, name in (
        ({"publicKey": other}, "SignatureError"),
        ({"publicKey": "ssh-ed25519 AAAA"}, "UsageError"),
        ({"publickey": mine}, "UsageError"),
        ({"memoryBudget": -1}, "UsageError"),
    ):
        assert visited.refused(OPEN, {"options": options})[0] == name
    manifest = json.loads((bundle / MANIFEST).read_text())
    rewritten(bundle, lambda content: content.update(name="tiny2"))
    assert visited.refused(OPEN, {"options": {"publicKey": mine}})[0] == "SignatureError"
    (bundle / SIGNATURE).unlink()
    assert manifest["name"] == "tiny"
    name, message = visited.refused(OPEN, {"options": {"publicKey": mine}})
    assert (name, "not signed" in message) == ("SignatureError", True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"scores": SCORES[:, ::-1]}, "was expected"),
        ({"experts": 1 - PICKED}, "was expected"),
        ({"features_x": INPUTS + 1}, "its features (x) are not those"),
        ({"scores": SCORES[:2]}, "as many scores"),
        ({"inputs": np.zeros((4, 3), np.float32)}, "an example must have the shape"),
    ],
)
def test_other_golden_examples_are_told(
    site: Path, visit: Visiting, change: dict[str, np.ndarray], told: str
) -> None:
    right = {"inputs": INPUTS, "scores": SCORES, "experts": PICKED, "features_x": INPUTS}
    replaced(site / "bundle", golden=npz(**right | change))
    visited = visit(site)
    visited.open()
    assert told in visited.verify()


def test_a_bundle_of_a_task_for_python_is_refused(site: Path, visit: Visiting) -> None:
    spec = {"type": "translation", "config": {}}
    rewritten(
        site / "bundle",
        lambda content: content.update(format_version="2.0", task_spec=spec, layers=[]),
    )
    assert "the task 'translation' is not supported in a browser" in visit(site).open()
    shutil.rmtree(site / "bundle")
    assert "it has no manifest.json" in visit(site, expected="404").open()
