"""Bundle signatures: Ed25519 (RFC 8032) over the manifest's bytes.

The manifest pins every other file by SHA-256, so the signature covers the whole bundle.
`manifest.sig` is the 64 bytes alone, and keys are PEM files as OpenSSL writes them:

    openssl pkeyutl -verify -rawin -pubin -inkey my.key.pub -sigfile manifest.sig -in manifest.json
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError, SignatureError, UsageError
from ..format.atomic import refuse_existing, write_whole
from ..format.manifest import LIMITS, MANIFEST, SIGNATURE, sha256
from ..format.manifest_parser import parse_manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ed25519

_KEY_BYTES = 10_000  # far above the size of a key


@dataclass(frozen=True)
class TrustedKey:
    """A trusted public key, and the file it came from."""

    path: Path
    fingerprint: str
    pem: bytes
    key: ed25519.Ed25519PublicKey

    def __str__(self) -> str:
        return f"{self.fingerprint} ({self.path})"


def keygen(path: Path, *, force: bool = False) -> TrustedKey:
    """Create a pair of keys: `path`, the secret one, and `path`.pub, for the boards.

    Raises:
        UsageError: one of them exists already.
    """
    asymmetric, serialization = _cryptography()
    public = path.with_name(path.name + ".pub")
    for place in (path, public):
        refuse_existing(place, force=force)
    private = asymmetric.Ed25519PrivateKey.generate()
    secret = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_whole(path, secret, mode=0o600)
    write_whole(public, _pem(private.public_key()))
    return read_public(public)


def sign(bundle: Path, key: Path) -> str:
    """Sign a bundle's manifest, write the signature beside it, and return the key's fingerprint.

    Raises:
        BundleError: the manifest is damaged.
        UsageError: the file is not a private Ed25519 key.
    """
    asymmetric, serialization = _cryptography()
    content = _read(key)
    try:
        private = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{key}: not a private key as `edge-experts keygen` writes it") from error
    if not isinstance(private, asymmetric.Ed25519PrivateKey):
        raise UsageError(f"{key}: must be a key of Ed25519; `edge-experts keygen` makes one")
    raw = (bundle / MANIFEST).read_bytes()
    parse_manifest(raw, str(bundle / MANIFEST))  # a damaged bundle must not be signed
    write_whole(bundle / SIGNATURE, private.sign(raw))
    return _fingerprint(private.public_key())


def read_public(path: Path) -> TrustedKey:
    """Read a public key to trust.

    Raises:
        UsageError: the file is not a public Ed25519 key.
    """
    asymmetric, serialization = _cryptography()
    content = _read(path)
    try:
        key = serialization.load_pem_public_key(content)
    except ValueError:
        raise UsageError(
            f"{path}: not a public key; name the .pub file that `edge-experts keygen` wrote"
        ) from None
    if not isinstance(key, asymmetric.Ed25519PublicKey):
        raise UsageError(f"{path}: must be a key of Ed25519; `edge-experts keygen` makes one")
    return TrustedKey(path, _fingerprint(key), _pem(key), key)


def signer(
    raw: bytes, signature: bytes | None, keys: Iterable[TrustedKey], where: str
) -> TrustedKey:
    """Return the key of `keys` that signed `raw`, the bytes of a manifest not parsed yet.

    Raises:
        SignatureError: none of them did.
    """
    from cryptography.exceptions import InvalidSignature

    keys = tuple(keys)
    trusted = ", ".join(map(str, keys))
    if len(raw) > LIMITS.manifest_bytes:
        raise SignatureError(f"{where}: larger than {LIMITS.manifest_bytes} bytes")
    if signature is None:
        raise SignatureError(
            f"{where}: not signed, and must be by {trusted}; `edge-experts sign` signs"
        )
    for key in keys:
        try:
            key.key.verify(signature, raw)
        except InvalidSignature:
            continue
        return key
    raise SignatureError(
        f"{where}: not signed by a trusted key, or changed after signing; trusted: {trusted}"
    )


def _fingerprint(key: ed25519.Ed25519PublicKey) -> str:
    _, serialization = _cryptography()
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return "ed25519:" + sha256(raw)[:32]


def _pem(key: ed25519.Ed25519PublicKey) -> bytes:
    _, serialization = _cryptography()
    pem: bytes = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_KEY_BYTES)
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"{path}: no such key; `edge-experts keygen` makes keys") from None


def _cryptography() -> tuple[Any, Any]:
    """Modules of the library for Ed25519 and for key files."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError:
        raise MissingExtraError("cryptography, for signatures,", "sign") from None
    return ed25519, serialization
