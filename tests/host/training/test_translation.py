"""Translation from end to end: help pages to pairs, training, conversion, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import run_folder
from edge_experts.datasets import Dataset
from edge_experts.datasets.translation import corpus, help_pages
from edge_experts.errors import BundleError, DigestError, GoldenError, MissingExtraError, UsageError
from edge_experts.features.sentence_rules import TableSentences
from edge_experts.format.manifest import MANIFEST
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, golden, interpreter
from edge_experts.runtime.tasks.translation.writer import Written

from ... import translators

HEAD = (
    '<!DOCTYPE html>\n<html lang="{0}"><head><title>x</title></head><body><div id="DisplayArea">\n'
)
ENGLISH = (
    HEAD
    + """\
<h1 id="hd_id1"><span class="Heading">Proxy</span></h1>
<p id="par_id1" class="paragraph" dir="auto"><span class="avis">Defines the settings for the \
<a target="_top" href="en-US/text/shared/00/00000002.html#proxy">proxy server</a>.</span></p>
<p id="par_id2" class="paragraph" dir="auto">Type the name of the port. Then click <span \
class="emph">OK</span> and close.</p>
<p id="par_id3" class="code" dir="auto">print three words here</p>
<p id="par_id4" class="paragraph" dir="auto">LibreOffice Math Guide</p>
<p id="par_id5" class="paragraph" dir="auto">Two words</p>
<p id="bm_module" dir="auto"></p>
"""
)
GERMAN = (
    HEAD
    + """\
<p id="par_id1" class="paragraph" dir="auto"><span class="avis">Bestimmt die Einstellungen \
f&uuml;r den <a target="_top" href="de/text/shared/00/00000002.html#proxy">Proxy</a>.</span></p>
<p id="par_id2" class="paragraph" dir="auto">Den Namen des Ports eingeben. Dann auf OK \
klicken<br/>und schlie\u00dfen.</p>
<p id="par_id3" class="code" dir="auto">print drei W\u00f6rter hier</p>
<p id="par_id4" class="paragraph" dir="auto">LibreOffice Math Guide</p>
<p id="par_id5" class="paragraph" dir="auto">Zwei W\u00f6rter</p>
<p id="par_id6" class="paragraph" dir="auto">Nur hier steht dieser Satz.</p>
"""
)


def test_pages_become_pairs_of_sentences() -> None:
    english = {"shared/01/a": help_pages.paragraphs(ENGLISH.format("en-US"))}
    german = {"shared/01/a": help_pages.paragraphs(GERMAN.format("de"))}
    assert [pair for _, pair, _ in corpus.pairs([(english, [german])])] == [
        (
            "Defines the settings for the proxy server.",
            "Bestimmt die Einstellungen f\u00fcr den Proxy.",
        ),
        ("Type the name of the port.", "Den Namen des Ports eingeben."),
        ("Then click OK and close.", "Dann auf OK klicken und schlie\u00dfen."),
    ]


def test_a_sentence_of_two_pages_stays_on_the_first_in_every_language() -> None:
    english = {"b": {"par_1": "Open the file."}, "a": {"par_9": "Open the file."}}
    german = {"a": {"par_9": "Die Datei \u00f6ffnen."}, "b": {"par_1": "Datei \u00f6ffnen."}}
    french = {"b": {"par_1": "Ouvrir le fichier."}}
    found = corpus.pairs([(english, [german, french])])
    assert [(page, place) for page, _, place in found] == [("a", 0)]


def test_templates_forget_numbers_names_and_quotations() -> None:
    same = [
        "Choose Insert - Field and type 12.",
        "Choose Format - Page Style and type 3,50.",
        'Choose "any" and type 7cm.',
    ]
    assert len({corpus.template(one) for one in same}) == 1
    assert corpus.template("Choose insert and type") != corpus.template(same[0])


@pytest.mark.skipif(sys.platform != "linux", reason="dpkg-deb is Debian's")
def test_a_package_is_read_without_installing_it(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    page = tree / "usr/share/libreoffice/help/de/text/shared/01/a.html"
    page.parent.mkdir(parents=True)
    page.write_text(GERMAN.format("de"), encoding="utf-8")
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: libreoffice-help-de\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\n"
        "Description: x\n"
    )
    package = tmp_path / "libreoffice-help-de_4%3a7.4.7-1_all.deb"
    try:
        subprocess.run(["dpkg-deb", "--build", tree, package], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no dpkg-deb here")
    assert list(help_pages.pages(package)) == ["shared/01/a"]
    assert help_pages.version(package) == "4:7.4.7-1"


@pytest.fixture(scope="module")
def toy() -> Dataset:
    return translators.toy()


@pytest.fixture(scope="module")
def run(translator_run: Path) -> Path:
    return translator_run


@pytest.fixture(scope="module")
def bundle(translator_bundle: Path) -> Path:
    return translator_bundle


def test_conversion_keeps_what_was_learned(bundle: Path) -> None:
    found: Any = read_manifest(bundle).provenance["validation"]
    assert found["deployed"]["chrf"] > 60
    assert found["deployed"]["chrf"] > found["keras"]["chrf"] - 5


def test_pieces_are_the_librarys_own() -> None:
    """On the toolkit's own documents: real sentences, with code, numbers and signs among them."""
    sentencepiece = pytest.importorskip("sentencepiece")
    from edge_experts.training.translation import vocabulary

    top = Path(__file__).parents[3]
    code = sorted((top / "edge_experts" / "runtime").rglob("*.py"))
    sources = [*sorted(top.glob("*.md")), *sorted((top / "docs").glob("*.md")), *code]
    lines = [line for path in sources for line in path.read_text(encoding="utf-8").splitlines()]
    model = vocabulary.train(lines[::2], ["de", "fr"], size=800)
    library = sentencepiece.SentencePieceProcessor(model_proto=model)
    ours = vocabulary.features(model, ["de", "fr"], length=64)
    normalized = TableSentences.trained().normalized
    assert ours.size == library.get_piece_size()
    for line in [*lines, "\u65e5\u672c \U0001f642 12,5 \u00a0 x\u0301", "<de> <0x41> \u2581 </s>"]:
        assert ours.pieces(line) == library.encode(normalized(line)), line
        assert ours.text(ours.pieces(line)) == normalized(line)
    assert len(lines) > 3000


def test_what_was_learned_is_more_than_chance(run: Path) -> None:
    metrics = run_folder.read_run(run).metrics
    assert metrics["test_accuracy"] > 0.8
    assert metrics["test_loss"] < 1.0


def test_every_expert_writes_its_own_language(bundle: Path, toy: Dataset) -> None:
    right = 0
    with ExpertRuntime(bundle, max_experts=1) as runtime:
        for (source, wanted), place in zip(toy.test.inputs, toy.test.targets, strict=True):
            answer = runtime.predict((source, toy.labels[place]))
            assert isinstance(answer, Written)
            assert (answer.expert, answer.label) == (place, toy.labels[place])
            assert 0 < answer.score <= 1
            right += answer.text == wanted
        assert right > len(toy.test) / 2
        batch = runtime.predict_batch([("open the file", "fr"), ("open the file", "de")])
    assert [answer.label for answer in batch] == ["fr", "de"]
    assert batch[0].text != batch[1].text


def test_golden_examples_are_of_pieces(bundle: Path, tmp_path: Path) -> None:
    with ExpertRuntime(bundle) as runtime:
        assert golden.check(runtime) == 8
    examples = golden.read(bundle)
    assert len(examples.of_task["pieces"]) == 8


def test_golden_examples_hold_on_every_interpreter(bundle: Path) -> None:
    """Near ties, where interpreters write different tokens, are not among them."""
    checking = (
        "import sys; from edge_experts.runtime import ExpertRuntime, golden; "
        "print(golden.check(ExpertRuntime(sys.argv[1])))"
    )
    for package in filter(interpreter.installed, ("tflite_runtime", "ai_edge_litert")):
        done = subprocess.run(
            [sys.executable, "-c", checking, str(bundle)],
            env={**os.environ, interpreter.CHOICE: package},
            capture_output=True,
            check=True,
        )
        assert done.stdout == b"8\n"


def test_another_translation_than_the_golden_one_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = golden.read(bundle)
    other = examples.of_task["pieces"].copy()
    row = int(np.flatnonzero(examples.experts == 0)[0])
    other[row, 0] += 1
    monkeypatch.setattr(golden, "_read", lambda *_: replace(examples, of_task={"pieces": other}))
    with (
        ExpertRuntime(bundle) as runtime,
        pytest.raises(GoldenError, match=f"golden example {row}: expert 0 writes"),
    ):
        golden.check(runtime)


def test_nobody_stands_in_for_the_expert_of_a_language(bundle: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "damaged.bundle"
    shutil.copytree(bundle, copy)
    damaged = copy / "experts/000.tflite"
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    with ExpertRuntime(copy) as runtime:
        with pytest.raises(DigestError, match="damaged"):
            runtime.predict(("open the file", "de"))
        assert not runtime.predict(("open the file", "fr")).degraded
        assert set(runtime.quarantined) == {0}


def test_a_manifest_must_name_a_target_for_each_expert(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.by_name
    assert manifest.asks_one
    text = replace(manifest, generation=None).to_json().encode()
    from edge_experts.errors import ManifestError
    from edge_experts.format.manifest_parser import parse_manifest

    with pytest.raises(ManifestError, match="router is missing"):
        parse_manifest(text)
    with pytest.raises(ManifestError, match="that generate text must be one, or one for each"):
        parse_manifest(replace(manifest, labels=("de", "fr", "it")).to_json().encode())
    with pytest.raises(ManifestError, match="router is missing, and one language has several"):
        parse_manifest(replace(manifest, labels=("de/help", "de")).to_json().encode())


def test_files_of_another_number_of_beams_are_refused(bundle: Path, tmp_path: Path) -> None:
    import shutil

    from edge_experts.format.expert_names import Generation

    copy = tmp_path / "beams.bundle"
    shutil.copytree(bundle, copy)
    manifest = replace(read_manifest(bundle), generation=Generation(64, 3))
    (copy / MANIFEST).write_text(manifest.to_json())
    with (
        ExpertRuntime(copy) as runtime,
        pytest.raises(BundleError, match="its manifest has 3 of 64"),
    ):
        runtime.predict(("open the file", "de"))


def _command(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_experts", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_lines_are_translated_as_they_come(bundle: Path) -> None:
    lines = ["open the file", "", "\x1b[2Jclose the page. print the table.", "open " * 10_000]
    done = _command("run", str(bundle), "--to", "de", "--json", stdin="\n".join(lines) + "\n")
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["text"] for one in made] == lines
    assert made[1]["translation"] == ""
    assert made[2]["sentences"] == 2
    assert made[3]["sentences"] > 100
    assert "\x1b" not in "".join(one["translation"] for one in made)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "tlh"], "--to must be one of de, fr, got 'tlh'"),
        ([], "name what to translate to"),
    ],
)
def test_an_unknown_target_is_refused(bundle: Path, arguments: list[str], message: str) -> None:
    done = _command("run", str(bundle), *arguments, "open the file")
    assert done.returncode == 2
    assert message in done.stderr


def test_what_conversion_does_not_offer_is_said(run: Path, tmp_path: Path) -> None:
    done = _command("convert", str(run), "--out", str(tmp_path / "x"), "--quantization", "auto")
    assert done.returncode == 2
    assert "is not supported" in done.stderr


def test_a_number_of_experts_that_is_not_of_the_languages_is_refused(
    toy: Dataset, tmp_path: Path
) -> None:
    from edge_experts.training import config_for, train

    with pytest.raises(UsageError, match="experts must be 2, one for each of de, fr"):
        train(toy, tmp_path / "x.run", config_for("translation", experts=3))


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_experts.datasets.translation import scores

    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(MissingExtraError, match=r"edge-experts\[translation\]"):
        scores.scores(["a"], ["a"])
