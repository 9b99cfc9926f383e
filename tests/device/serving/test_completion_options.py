"""Options of the server of a language model, in its own process."""

from __future__ import annotations

from pathlib import Path

from benchmarks.serving.load import running

from ...conftest import Cli
from .completing import ask, asked


def test_keys(language_bundle: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("first-key\n\n  second-key \n")
    keys.chmod(0o600)
    with running(language_bundle, "--host", "0.0.0.0", "--api-key-file", str(keys)) as (_, port):
        for key in ("first-key", "second-key"):
            assert ask(port, asked(), Authorization=f"Bearer {key}")[0] == 200
        wrong = ("Bearer first-ke", "Bearer", "first-key", "Basic first-key", "Bearer \xe9", "")
        for header in wrong:
            status, content = ask(port, asked(), Authorization=header)
            assert status == 401
            assert content["error"]["code"] == "invalid_api_key"
        assert ask(port, asked())[0] == 401
        assert ask(port, None, "/v1/models")[0] == 401
        assert ask(port, {"inputs": []}, "/v2/models/chain/infer")[0] == 401
        assert ask(port, None, "/v2/health/ready")[0] == 200


def test_other_machines_need_a_key(language_bundle: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("serve", language_bundle, "--host", "0.0.0.0", "--port", 0)
    assert done.returncode == 2
    assert "--api-key-file" in done.stderr
    keys = tmp_path / "keys"
    for content, message in ((b"\n \n", "no key"), (b"a b\n", "without spaces"), (None, "read")):
        if content is None:
            keys.unlink()
        else:
            keys.write_bytes(content)
        done = cli("serve", language_bundle, "--api-key-file", keys, "--port", 0)
        assert done.returncode == 2
        assert message in done.stderr
    keys.write_text("a-key")
    keys.chmod(0o640)
    done = cli("serve", language_bundle, "--api-key-file", keys, "--context", 1)
    assert done.returncode == 2
    assert f"other users may read the keys; run chmod 600 {keys}" in done.stderr


def test_options_of_language_models_are_refused_for_others(
    sentiment_bundle: Path, cli: Cli
) -> None:
    for option in (("--sequences", 2), ("--max-tokens", 5), ("--request-seconds", 9)):
        done = cli("serve", sentiment_bundle, "--port", 0, *option)
        assert done.returncode == 2
        assert f"{option[0]} is for bundles of language-model" in done.stderr


def test_an_installed_bundle_is_served(language_bundle: Path, tmp_path: Path, cli: Cli) -> None:
    root = tmp_path / "installed"
    done = cli("install", language_bundle, root)
    assert done.returncode == 0, done.stderr
    with running(root, "--sequences", "1", "--context", "40") as (_, port):
        content = ask(port, asked(max_tokens=100))[1]
        assert content["usage"]["total_tokens"] == 41


def test_keys_and_texts_are_in_no_log(language_bundle: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("secret-key")
    keys.chmod(0o644)
    with running(language_bundle, "--api-key-file", str(keys)) as (process, port):
        assert process.stderr is not None
        for body in (asked(), asked(stream=True), asked(n=3), asked(prompt="red " * 9000)):
            ask(port, body, Authorization="Bearer secret-key")
        process.terminate()
        said = process.stderr.readlines()
    assert not [line for line in said if "red" in line or "cat" in line or "secret" in line]
