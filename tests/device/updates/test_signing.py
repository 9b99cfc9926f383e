"""Who signed a bundle, and what is refused before anyone has read it."""

from __future__ import annotations

import builtins
import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge_experts.errors import ManifestError, MissingExtraError, SignatureError, UsageError
from edge_experts.format.archive import pack, unpack
from edge_experts.format.manifest import MANIFEST, SIGNATURE
from edge_experts.updates import install as module
from edge_experts.updates import signing
from edge_experts.updates.install import install, rollback

from ...conftest import Cli
from ...tiny import tiny_bundle


@pytest.fixture
def key(tmp_path: Path) -> Path:
    signing.keygen(tmp_path / "my.key")
    return tmp_path / "my.key"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    signing.keygen(tmp_path / "other.key")
    return tmp_path / "other.key"


def public(key: Path) -> Path:
    return key.with_name(key.name + ".pub")


def signed(folder: Path, key: Path | None, version: int = 1) -> Path:
    bundle = tiny_bundle(folder / f"signed-{version}-{key and key.name}", version=version)
    if key is not None:
        signing.sign(bundle, key)
    return bundle


def test_keys_are_kept_from_others_and_never_replaced(tmp_path: Path, key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        signing.keygen(key)
    public(key).unlink()
    with pytest.raises(UsageError, match="exists already"):
        signing.keygen(key)
    assert key.read_bytes() == before
    signing.keygen(key, force=True)
    assert key.read_bytes() != before
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_what_is_no_key_is_refused(tmp_path: Path, key: Path) -> None:
    bundle, curve = tiny_bundle(tmp_path / "b"), ec.generate_private_key(ec.SECP256R1())
    pem, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "ec").write_bytes(curve.private_bytes(pem, kind, serialization.NoEncryption()))
    (tmp_path / "locked").write_bytes(
        curve.private_bytes(pem, kind, serialization.BestAvailableEncryption(b"x"))
    )
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "ec.pub").write_bytes(curve.public_key().public_bytes(pem, spki))
    for path, problem in (
        (public(key), "not a private key"),
        (tmp_path / "locked", "not a private key"),
        (tmp_path / "ec", "must be a key of Ed25519"),
        (tmp_path / "none", "no such key"),
        (tmp_path, "no such key"),
    ):
        with pytest.raises(UsageError, match=problem):
            signing.sign(bundle, path)
    for path, problem in (
        (key, "not a public key"),
        (tmp_path / "ec.pub", "must be a key of Ed25519"),
        (tmp_path / "none", "no such key"),
    ):
        with pytest.raises(UsageError, match=problem):
            signing.read_public(path)


def test_a_damaged_bundle_is_not_signed(tmp_path: Path, key: Path) -> None:
    bundle = tiny_bundle(tmp_path / "b")
    (bundle / MANIFEST).write_bytes((bundle / MANIFEST).read_bytes().replace(b'"up"', b'"no"'))
    with pytest.raises(ManifestError, match="changed since"):
        signing.sign(bundle, key)
    assert not (bundle / SIGNATURE).exists()


def test_a_key_is_pinned_by_its_first_bundle(tmp_path: Path, key: Path, other: Path) -> None:
    root = tmp_path / "root"
    install(signed(tmp_path, None, 1), root)
    with pytest.raises(SignatureError, match="not signed, and must be by ed25519:"):
        install(signed(tmp_path, None, 2), root, trust=[public(key)])
    assert not (root / "trusted").exists()
    done = install(signed(tmp_path, key, 2), root, trust=[public(key)])
    assert done.signed_by is not None
    # From now on it is required, and named no more.
    with pytest.raises(SignatureError, match="not signed"):
        install(signed(tmp_path, None, 3), root)
    with pytest.raises(SignatureError, match="not signed by a trusted key"):
        install(signed(tmp_path, other, 3), root)
    again = install(signed(tmp_path, key, 3), root)
    assert again.signed_by is not None
    assert again.signed_by.fingerprint == done.signed_by.fingerprint
    # A second key, named by who may install.
    install(signed(tmp_path, other, 4), root, trust=[public(other)])
    install(signed(tmp_path, key, 5), root)
    install(signed(tmp_path, other, 6), root)
    assert len(list((root / "trusted").iterdir())) == 2
    rollback(root)


def test_a_signature_that_comes_later_is_installed(tmp_path: Path, key: Path) -> None:
    root, bundle = tmp_path / "root", signed(tmp_path, None)
    install(bundle, root)
    signing.sign(bundle, key)
    assert install(bundle, root, trust=[public(key)]).changed
    assert (root / "current" / SIGNATURE).read_bytes() == (bundle / SIGNATURE).read_bytes()
    assert not install(bundle, root).changed


def test_nothing_is_parsed_before_the_signature_holds(
    tmp_path: Path, key: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(raw: bytes, where: str) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(module, "parse_manifest", never)
    bundle = signed(tmp_path, other)
    for change in (b"", b"{", bytes(5_000_000), (bundle / MANIFEST).read_bytes()):
        (bundle / MANIFEST).write_bytes(change)
        for signature in (b"", bytes(64), bytes(65), (bundle / SIGNATURE).read_bytes()):
            (bundle / SIGNATURE).write_bytes(signature)
            with pytest.raises(SignatureError):
                install(bundle, tmp_path / "root", trust=[public(key)])


def test_every_byte_of_the_manifest_is_signed(tmp_path: Path, key: Path) -> None:
    bundle = signed(tmp_path, key)
    raw, signature = (bundle / MANIFEST).read_bytes(), (bundle / SIGNATURE).read_bytes()
    keys = [signing.read_public(public(key))]
    assert signing.signer(raw, signature, keys, "m") == keys[0]
    for index in range(len(raw)):
        changed = raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]
        with pytest.raises(SignatureError):
            signing.signer(changed, signature, keys, "m")
    for index in range(64):
        changed = signature[:index] + bytes([signature[index] ^ 1]) + signature[index + 1 :]
        with pytest.raises(SignatureError):
            signing.signer(raw, changed, keys, "m")


def test_archives_carry_the_signature(tmp_path: Path, key: Path) -> None:
    bundle = signed(tmp_path, key)
    pack(bundle, tmp_path / "b.zip")
    unpack(tmp_path / "b.zip", tmp_path / "out")
    assert (tmp_path / "out" / SIGNATURE).read_bytes() == (bundle / SIGNATURE).read_bytes()
    install(tmp_path / "b.zip", tmp_path / "root", trust=[public(key)])


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any) -> Any:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError(name=name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"edge-experts\[sign\]"):
        signing.keygen(tmp_path / "my.key")
    install(tiny_bundle(tmp_path / "b"), tmp_path / "root")


def test_the_commands(tmp_path: Path, cli: Cli) -> None:
    key, bundle, root = tmp_path / "my.key", tiny_bundle(tmp_path / "b"), tmp_path / "root"
    done = cli("keygen", key)
    assert done.returncode == 0, done.stderr
    fingerprint = done.stdout.split()[-1]
    trust = ("--trust", public(key))
    done = cli("verify", bundle, *trust)
    assert (done.returncode, "not signed" in done.stderr) == (3, True)
    assert fingerprint in cli("sign", bundle, "--key", key).stdout
    assert (
        "not signed by a trusted key (its signature was not checked" in cli("verify", bundle).stdout
    )
    assert f"signed by {fingerprint}" in cli("verify", bundle, *trust).stdout
    found = json.loads(cli("install", bundle, root, *trust, "--json").stdout)
    assert found["signed_by"] == fingerprint
    assert f"signed by {fingerprint}" in cli("install", bundle, root).stdout
    assert f"signed by {fingerprint}" in cli("verify", root).stdout
    # Keys that come with a bundle say nothing.
    shutil.copytree(root / "trusted", bundle / "trusted")
    assert "not signed by a trusted key" in cli("verify", bundle).stdout
    assert cli("keygen", key).returncode == 2
