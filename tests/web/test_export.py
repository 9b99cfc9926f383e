"""The command that writes a site: its report, and bundles that a browser would not answer."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from edge_experts.format.manifest import sha256
from edge_experts.web import litert_js
from tests.attacks.bundles import replaced, rewritten
from tests.conftest import ROOT, Cli
from tests.tiny import tiny_bundle

from .conftest import Export

MODELS = ROOT / "tests" / "device" / "models"
OLD = ROOT / "tests" / "data" / "v0_1_0" / "bundles"


@pytest.mark.usefixtures("litert")
def test_the_report_lists_all_files(cli: Cli, tmp_path: Path) -> None:
    bundle, out = tiny_bundle(tmp_path / "tiny.bundle"), tmp_path / "site"
    done = cli("export-web", bundle, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["golden_examples"] == 4
    listed = {**report["site_bytes"]}
    listed |= {f"bundle/{path}": size for path, size in report["bundle_bytes"].items()}
    written = {
        path.relative_to(out).as_posix(): path.stat().st_size
        for path in out.rglob("*")
        if path.is_file()
    }
    assert listed == written
    again = cli("export-web", bundle, "--out", out)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert cli("export-web", bundle, "--out", out, "--force").returncode == 0
    assert cli("verify", out / "bundle").returncode == 0


def test_the_worker_pins_what_the_page_needs(site: Path) -> None:
    found = re.search(r"const FILES = ({.+?});", (site / "sw.js").read_text(), re.DOTALL)
    assert found is not None
    for path, digest in json.loads(found[1]).items():
        assert sha256((site / path).read_bytes()) == digest
    page = (site / "index.html").read_text()
    for path in re.findall(r'(?:href|src)="([^"#]+)"', page):
        assert (site / path).is_file()
    assert not re.search(r"<script>|<style|style=|\son\w+=|https?:", page), "nothing is inline"
    assert f"LiteRT.js {litert_js.VERSION}," in (site / "NOTICE").read_text()
    assert "sourceMappingURL" not in (site / "litert" / "index.js").read_text()


def test_files_are_short(site: Path) -> None:
    for path in [*site.glob("*.js"), *(site / "edge-experts").rglob("*.js")]:
        assert len(path.read_text().splitlines()) < 600


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (
            lambda at: replaced(at, router=(MODELS / "integer.tflite").read_bytes()),
            2,
            "--io integer",
        ),
        (
            lambda at: rewritten(
                at,
                lambda content: content.update(
                    format_version="2.0",
                    task_spec={"type": "another", "config": {}},
                    layers=[],
                ),
            ),
            2,
            "'another' is not supported in a browser, which has classification, multi-label, reg",
        ),
        (
            lambda at: rewritten(at, lambda content: content["features"].update(kind="tokens")),
            2,
            "the kind of features 'tokens' is not supported in a browser",
        ),
        (lambda at: (at / "experts" / "000.tflite").write_bytes(b""), 3, "000.tflite"),
    ],
)
def test_a_bundle_that_a_browser_would_not_answer_is_refused(
    cli: Cli, tmp_path: Path, change: object, code: int, told: str
) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    assert callable(change)
    change(bundle)
    done = cli("export-web", bundle, "--out", tmp_path / "site")
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "site").exists()


def test_other_golden_answers_are_refused(cli: Cli, tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle", honest=False)
    done = cli("export-web", bundle, "--out", tmp_path / "site")
    assert done.returncode == 3
    assert "golden example 0" in done.stderr


@pytest.mark.parametrize("name", ["text", "table"])
def test_features_without_a_contract_are_refused(cli: Cli, tmp_path: Path, name: str) -> None:
    done = cli("export-web", OLD / f"{name}.bundle", "--out", tmp_path / "site")
    assert done.returncode == 2
    assert "have no contract" in done.stderr


def test_a_language_model_is_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("export-web", ROOT / "examples" / "help.bundle", "--out", tmp_path / "site")
    assert done.returncode == 2
    assert "the task 'language-model' is not supported" in done.stderr


def test_limits_are_those_of_python(site: Path) -> None:
    from edge_experts.format.limits import LIMITS

    text = (site / "edge-experts" / "limits.js").read_text()
    for name, value in re.findall(r"^  (\w+): (.+),$", text, re.MULTILINE):
        assert eval(value) == getattr(LIMITS, name)


def test_a_site_is_whole_or_not_there(tiny_site: Path, export: Export, tmp_path: Path) -> None:
    out = Path(shutil.copytree(tiny_site, tmp_path / "site"))
    (out / "mine.txt").write_text("of an earlier site")
    export(tiny_bundle(tmp_path / "tiny.bundle", version=2), out)
    assert not (out / "mine.txt").exists()
    assert json.loads((out / "bundle" / "manifest.json").read_text())["bundle_version"] == 2
