"""One example, one answer: by Python, the command line, files, streams and HTTP."""

from __future__ import annotations

import csv
import http.client
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.load import running
from edge_experts import ExpertRuntime
from edge_experts.format.manifest_parser import read_manifest
from tests.conftest import Cli

CONFIG = """\
experts = 2
measure_gain = false
epochs = 3
choice_epochs = 2
tune_epochs = 1
teacher_epochs = 0
"""
Asked = list[tuple[str, list[str]]]  # label and experts of each example


def _images(folder: Path) -> tuple[Path, list[Any]]:
    """Stripes in three places, as bytes; not square, so that no other layout fits."""
    random = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = random.integers(0, 90, (300, 12, 10, 3))
    for place in range(3):
        x[y == place, 4 * place : 4 * place + 4] += 120
    x = x.astype(np.uint8)
    labels = np.array(["top", "middle", "bottom"])
    np.savez(
        folder / "data.npz",
        x_train=x[:240],
        y_train=y[:240],
        x_test=x[240:],
        y_test=y[240:],
        labels=labels,
    )
    return folder / "data.npz", list(x[240:252])


def _texts(folder: Path) -> tuple[Path, list[Any]]:
    """Words of two languages with accents, quotes, commas and an emoji."""
    words = {"de": ["schön", "größer", "früh 😀", '"Öl"'], "fr": ["été", "ça, là", "forêt", "œuf"]}
    random = np.random.default_rng(0)
    rows = [
        (" ".join(random.choice(words[label], 3)), label) for _ in range(150) for label in words
    ]
    with (folder / "data.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return folder / "data.csv", [text for text, _ in rows[:12]]


MAKERS = {"images": _images, "texts": _texts}


@pytest.fixture(scope="module", params=MAKERS)
def bundle(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cli: Cli
) -> tuple[str, Path, list[Any]]:
    folder = tmp_path_factory.mktemp(request.param)
    data, examples = MAKERS[request.param](folder)
    (folder / "quick.toml").write_text(CONFIG)
    out = ("--out", folder / "t.run", "--config", folder / "quick.toml", "--no-pictures")
    for command in (
        ("train", "--data", data, *out),
        ("convert", folder / "t.run", "--out", folder / "t.bundle"),
    ):
        done = cli(*command)
        assert done.returncode == 0, done.stderr
    return request.param, folder / "t.bundle", examples


def _said(lines: str) -> Asked:
    answers = [json.loads(line) for line in lines.splitlines()]
    return [(one["label"], one["experts"]) for one in answers]


def _over_http(bundle: Path, tensors: list[dict[str, Any]]) -> Asked:
    with running(bundle) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        name = read_manifest(bundle).name
        body = json.dumps({"inputs": tensors}).encode()
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/v2/models/{name}/infer", body, headers)
        response = json.loads(connection.getresponse().read())
    outputs = {one["name"]: one["data"] for one in response["outputs"]}
    return list(zip(outputs["label"], outputs["expert"], strict=True))


def test_every_way_in_gives_the_same_answers(
    bundle: tuple[str, Path, list[Any]], cli: Cli, tmp_path: Path
) -> None:
    kind, folder, examples = bundle
    with ExpertRuntime(folder) as runtime:
        answers = [runtime.predict(example) for example in examples]
    wanted = [(answer.label, list(answer.experts)) for answer in answers]
    assert not any(answer.warnings for answer in answers)
    plain = [np.asarray(one).tolist() for one in examples]
    lines = plain if kind == "texts" else [json.dumps(one) for one in plain]

    arguments = cli("run", folder, "--json", "--", *lines[:3])
    assert _said(arguments.stdout) == wanted[:3], arguments.stderr
    streamed = cli("run", folder, "--json", stdin="\n".join(lines) + "\n")
    assert _said(streamed.stdout) == wanted, streamed.stderr

    files = {tmp_path / "d.jsonl": "\n".join(json.dumps(one) for one in plain).encode()}
    if kind == "texts":
        rows = "\n".join('"' + one.replace('"', '""') + '",de' for one in examples)
        files[tmp_path / "d.csv"] = f"text,label\n{rows}\n".encode()
        files[tmp_path / "marked.csv"] = f"text,label\n{rows}\n".encode("utf-16")
        files[tmp_path / "d.txt"] = "\n".join(examples).encode()
        tensors = [{"name": "text", "datatype": "BYTES", "shape": [len(plain)], "data": plain}]
    else:
        np.save(tmp_path / "d.npy", np.stack(examples))
        np.savez(tmp_path / "d.npz", x_test=np.stack(examples))
        files |= {path: path.read_bytes() for path in (tmp_path / "d.npy", tmp_path / "d.npz")}
        shape = [len(plain), 12, 10, 3]
        tensors = [{"name": "x", "datatype": "UINT8", "shape": shape, "data": plain}]
    for path, content in files.items():
        path.write_bytes(content)
        done = cli("run", folder, "--json", "--input", path)
        assert _said(done.stdout) == wanted, (path.name, done.stderr)
    assert [label for label, _ in _over_http(folder, tensors)] == [label for label, _ in wanted]


def _same_pictures(example: np.ndarray) -> list[Any]:
    """Fractions of 255, and channels first, which were answered surely and at chance."""
    small = example / np.float32(255)
    return [example / 255, small.tolist(), example.transpose(2, 0, 1), example[None]]


def _same_texts(example: str) -> list[Any]:
    """The same letters, their accents apart or not."""
    return [unicodedata.normalize(form, example) for form in ("NFD", "NFC")]


def test_what_looks_the_same_has_the_same_answer(bundle: tuple[str, Path, list[Any]]) -> None:
    kind, folder, examples = bundle
    others = {"images": _same_pictures, "texts": _same_texts}[kind]
    with ExpertRuntime(folder) as runtime:
        for example in examples:
            wanted = runtime.predict(example).scores.tolist()
            assert all(runtime.predict(one).scores.tolist() == wanted for one in others(example))


def test_the_contract_is_shown(bundle: tuple[str, Path, list[Any]], cli: Cli) -> None:
    kind, folder, _ = bundle
    (shown,) = json.loads(cli("inspect", folder, "--json").stdout)["inputs"]
    if kind == "images":
        assert (shown["dtype"], shown["layout"]) == ("uint8", "HWC")
        assert 0 <= shown["range"][0] < 90 < shown["range"][1] <= 255
    else:
        assert (shown["dtype"], shown["normalization"]) == ("text", "NFC")
    assert str(shown["name"]) in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
