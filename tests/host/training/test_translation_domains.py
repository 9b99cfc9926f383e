"""Experts for domains inside a language: their router, and who stands in for whom."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets, run_folder
from edge_experts.benchmarking.reference_loop import reference_texts
from edge_experts.datasets import Dataset, Split
from edge_experts.errors import BundleError, DataError, DigestError
from edge_experts.format.expert_names import language, languages
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, golden
from edge_experts.runtime.tasks.translation.writer import Written


def test_names_are_languages_or_domains_of_them() -> None:
    assert language("de/help") == language("de") == "de"
    assert languages(("de/help", "fr", "de/packages")) == ("de", "fr")


# Two domains that differ in their verbs, and in what a word in common becomes; and a language with
# one expert between them, so that places of labels are not those of languages.
LABELS = ("de/help", "fr", "de/packages")
VERBS = {
    "de/help": {"open": "\u00f6ffne", "close": "schlie\u00dfe", "print": "drucke"},
    "de/packages": {"plays": "spielt", "reads": "liest", "draws": "malt"},
    "fr": {"open": "ouvre", "plays": "joue", "draws": "dessine"},
}
OBJECTS = {
    "de/help": {"the file": "die datei", "the table": "die tabelle", "the page": "die seite"},
    "de/packages": {"the file": "das file", "the table": "den tisch", "the page": "das blatt"},
    "fr": {"the file": "le fichier", "the table": "le tableau", "the page": "la page"},
}


def _pairs(label: str, count: int, seed: int) -> list[tuple[str, str]]:
    drawn = random.Random(seed)
    made: dict[str, str] = {}
    while len(made) < count:
        words: list[tuple[str, str]] = []
        for _ in range(drawn.choice([1, 2, 2])):
            words += [drawn.choice(list(VERBS[label].items()))]
            words += [drawn.choice(list(OBJECTS[label].items()))]
        made[" ".join(word for word, _ in words)] = " ".join(word for _, word in words)
    return list(made.items())


@pytest.fixture(scope="module")
def toy() -> Dataset:
    found = {label: _pairs(label, 80, seed) for seed, label in enumerate(LABELS)}

    def split(part: slice) -> Split:
        rows = [(pair, place) for place, one in enumerate(LABELS) for pair in found[one][part]]
        return Split([pair for pair, _ in rows], np.array([place for _, place in rows]))

    return Dataset(
        name="toy",
        kind="translation",
        task_type="translation",
        task="translation from English",
        labels=LABELS,
        train=split(slice(0, 64)),
        validation=split(slice(64, 72)),
        test=split(slice(72, 80)),
        origin="made up",
    )


SETTINGS: dict[str, Any] = {
    "width": 0.5,
    "warm_epochs": 120,
    "tune_epochs": 20,
    "router_epochs": 40,
    "batch_size": 256,
    "learning_rate": 5e-3,
}

SMALL = {"width": 0.2, "warm_epochs": 1, "tune_epochs": 1, "router_epochs": 1}


def _trained(toy: Dataset, out: Path, **settings: Any) -> Path:
    from edge_experts.training import train
    from edge_experts.training.default_settings import config_of

    train(toy, out, config_of(toy, **{**SETTINGS, **settings}))
    return out


@pytest.fixture(scope="module")
def run(toy: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _trained(toy, tmp_path_factory.mktemp("toy") / "toy.run")


@pytest.fixture(scope="module")
def bundle(run: Path) -> Path:
    from edge_experts.converters import convert

    out = run.with_name("toy.bundle")
    made = convert(run, out)
    routed = made.parity.routed
    assert routed.examples == 24
    assert routed.keras == routed.deployed == routed.equal == 1.0
    assert made.scores["chrf"] > made.parity.keras_scores["chrf"] - 5
    return out


@pytest.fixture(scope="module")
def rival(toy: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network for all labels."""
    from edge_experts.converters import convert

    out = tmp_path_factory.mktemp("rival") / "rival.bundle"
    run = _trained(toy, out.with_name("rival.run"), dense="active", **SMALL)
    assert convert(run, out, quantization="float32").parity.routed is None
    return out


@pytest.fixture
def without_help(bundle: Path, tmp_path: Path) -> Path:
    """A copy whose expert for help is damaged."""
    copy = Path(shutil.copytree(bundle, tmp_path / "damaged.bundle"))
    damaged = copy / "experts/000.tflite"
    content = bytearray(damaged.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    return copy


def test_the_router_learned_the_domains(run: Path) -> None:
    metrics = run_folder.read_run(run).metrics
    assert metrics["test_routed_right"] == 1.0
    assert metrics["test_accuracy"] > 0.8


def test_the_first_piece_names_the_language_and_never_the_domain(bundle: Path) -> None:
    with ExpertRuntime(bundle) as runtime:
        encode, features = runtime.features.encode, runtime.features
        assert features.targets == ("de", "fr")  # type: ignore[attr-defined]
        forced = encode(("open the file", "de/packages"))
        free = encode(("open the file", "de"))
    assert np.array_equal(forced["source"], free["source"])
    assert free["asked"].tolist() == [[0.0, -np.inf, 0.0]]
    assert forced["asked"].tolist() == [[-np.inf, -np.inf, 0.0]]


def test_the_router_picks_among_the_experts_of_the_language(bundle: Path, toy: Dataset) -> None:
    right = 0
    with ExpertRuntime(bundle, max_experts=1) as runtime:
        for (source, wanted), place in zip(toy.test.inputs, toy.test.targets, strict=True):
            answer = runtime.predict((source, language(LABELS[place])))
            assert isinstance(answer, Written)
            assert (answer.expert, answer.label) == (place, LABELS[place])
            right += answer.text == wanted
        assert right > len(toy.test) / 2
        # What reads like help in German is for the one expert that there is in French.
        assert runtime.predict(("close the file", "fr")).label == "fr"


def test_an_expert_can_be_asked_for_by_name(bundle: Path) -> None:
    with ExpertRuntime(bundle) as runtime:
        batch = runtime.predict_batch(
            [("open the file", one) for one in ("de", "de/help", "de/packages", "fr")]
        )
    assert [answer.label for answer in batch] == ["de/help", "de/help", "de/packages", "fr"]
    assert not any(answer.degraded for answer in batch)


def test_another_domain_stands_in_for_a_damaged_expert(without_help: Path) -> None:
    with ExpertRuntime(without_help) as runtime:
        alone = runtime.predict(("open the file", "de"))
        batch = runtime.predict_batch([("open the file", "de"), ("open the file", "fr")])
        assert set(runtime.quarantined) == {0}
        # Nobody else is what was asked for by name.
        with pytest.raises(DigestError, match="damaged"):
            runtime.predict(("open the file", "de/help"))
    assert [answer.label for answer in (alone, *batch)] == ["de/packages", "de/packages", "fr"]
    assert alone.degraded
    assert "expert 0" in str(alone.reason)
    assert [answer.degraded for answer in batch] == [True, False]


def test_a_missing_expert_is_no_other(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "missing.bundle"))
    (copy / "experts/002.tflite").unlink()
    with ExpertRuntime(copy) as runtime:
        assert runtime.predict(("plays the table", "de")).label == "de/help"
        # Where all experts of a language are gone, no other language is written.
        (copy / "experts/000.tflite").unlink()
        runtime.release()
        with pytest.raises(BundleError, match="missing"):
            runtime.predict(("open the file", "de"))


def test_strictly_nobody_stands_in(without_help: Path) -> None:
    with ExpertRuntime(without_help, strict=True) as runtime:
        with pytest.raises(DigestError, match="damaged"):
            runtime.predict(("open the file", "de"))
        assert runtime.predict(("plays the table", "de")).label == "de/packages"


def test_the_reference_loop_asks_the_same_experts(bundle: Path, rival: Path) -> None:
    for folder in (bundle, rival):
        ask = reference_texts(folder)
        with ExpertRuntime(folder) as runtime:
            for example in golden.read(folder).inputs:
                assert ask(example) == runtime.predict(example).text


def test_golden_examples_go_through_the_router(bundle: Path) -> None:
    with ExpertRuntime(bundle) as runtime:
        assert golden.check(runtime) == 12
    examples = golden.read(bundle)
    assert {to for _, to in examples.inputs} == {"de", "fr"}
    assert sorted(examples.experts.tolist()) == [0] * 4 + [1] * 4 + [2] * 4


def test_the_card_tells_how_often_the_router_is_right(bundle: Path, rival: Path) -> None:
    said = "sentences sent to the expert of their domain | 100.00% of 24 validation sentences"
    assert said in (bundle / "MODEL_CARD.md").read_text()
    assert "expert of their domain" not in (rival / "MODEL_CARD.md").read_text()
    manifest = read_manifest(bundle)
    assert manifest.asking == "the best of those that an example names"
    assert manifest.provenance["router"]["deployed"] == 1.0
    assert read_manifest(rival).labels == ("de", "fr")


def test_evaluation_is_of_every_label(
    bundle: Path,
    rival: Path,
    toy: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from edge_experts.cli.device.evaluate import evaluate

    monkeypatch.setitem(datasets.NAMED, "toy", lambda seed: toy)
    italian = replace(toy, labels=("de/help", "fr", "it/help"))
    monkeypatch.setitem(datasets.NAMED, "italian", lambda seed: italian)
    evaluate(bundle, "toy", json=True)
    found = json.loads(capsys.readouterr().out)
    evaluate(rival, "toy", json=True)
    other = json.loads(capsys.readouterr().out)
    assert found["routed_right"] == 1.0
    assert "routed_right" not in other
    assert set(found["labels"]) == set(other["labels"]) == set(LABELS)
    assert found["chrf"] > other["chrf"] + 10
    evaluate(bundle, "toy", most=12)
    assert "router: 100.00% to the expert of their label" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"rival.bundle does not know: it$"):
        evaluate(rival, "italian")


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_experts", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_lets_the_router_choose_or_not(bundle: Path, without_help: Path) -> None:
    text = "open the file. plays the table."
    done = _command("run", str(bundle), "--to", "de", "--json", text)
    assert json.loads(done.stdout)["labels"] == ["de/help", "de/packages"]
    done = _command("run", str(bundle), "--to", "de/help", "--json", text)
    assert json.loads(done.stdout)["labels"] == ["de/help", "de/help"]
    done = _command("run", str(without_help), "--to", "de", "--json", text)
    made = json.loads(done.stdout)
    assert (made["labels"], made["degraded"]) == (["de/packages"] * 2, True)
    assert "expert 0 is left out" in done.stderr
    done = _command("run", str(bundle), "--to", "de/x", text)
    assert done.returncode == 2
    assert "--to must be one of de, fr, de/help, de/packages, got 'de/x'" in done.stderr


def test_a_killed_training_has_its_router_already(
    toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.training.checkpoints import Checkpoints
    from edge_experts.training.default_settings import config_of
    from edge_experts.training.translation import router, translator_trainer
    from edge_experts.training.translation.learning import TranslatorLearner

    config = config_of(toy, **{**SETTINGS, **SMALL})
    first = translator_trainer.fit(toy, config, Checkpoints(tmp_path / "kept", {}))[0]

    def never(*_: Any) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(TranslatorLearner, "train", never)
    monkeypatch.setattr(router, "train", never)
    again = translator_trainer.fit(toy, config, Checkpoints(tmp_path / "kept", {}))[0]
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, other)
