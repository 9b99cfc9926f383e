"""Small data in place of the named sets and of users' own files, and what documents suppose."""

from __future__ import annotations

import csv
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from device_tests.sound_spectra import wav_file
from tests import chatting, checkpoints, gguf_files, language
from tests.documents import pages
from tests.machines import write_machine
from tests.photos import write_photos
from tests.sounds import RATE, noise, write_sounds
from tests.translators import toy

RANDOM = np.random.default_rng(0)
QUICK = (
    "warm_epochs = 1\nepochs = 2\nchoice_epochs = 1\ntune_epochs = 1\nteacher_epochs = 0\n"
    "router_epochs = 1\n"
)
# Named sets by the files that stand in for them.
FILES = {
    "sentiment": "texts.csv",
    "sections": "texts.csv",
    "fashion-mnist": "images.npz",
    "mnist-and-fashion": "images.npz",
    "debtags": "tickets.csv",
    "diamonds": "houses.csv",
    "translation": "translations.csv",
    "translation-domains": "domains.csv",
    "help": "help.txt",
}


def write(folder: Path) -> None:
    """Everything that the documents' commands find in their folder."""
    (folder / "quick.toml").write_text(QUICK)
    (folder / "translators.toml").write_text(
        "width = 0.5\nwarm_epochs = 4\ntune_epochs = 1\nrouter_epochs = 1\nbatch_size = 256\n"
    )
    (folder / "language.toml").write_text(language.CONFIG)
    (folder / "examples").symlink_to(pages.ROOT / "examples")
    for name in ("help", "handbook", "notes"):
        (folder / f"{name}.txt").write_text(language.text(), encoding="utf-8")
    template = "{% for one in messages %}{{ one['content'] }}{% endfor %}"
    granite = checkpoints.copied("granite", folder / "granite-3.0-1b-a400m")
    (granite / "chat_template.jinja").write_text(template)
    if importlib.util.find_spec("gguf"):  # the short road has no extras
        small = checkpoints.FOLDER / "llama-tied"
        gguf_files.as_gguf(small, "llama", folder / "SmolLM2-135M-Instruct.Q4_1.gguf", template)
    _texts(folder)
    _flowers(folder / "flowers.csv", 0)
    _flowers(folder / "alpine.csv", 3)
    _tickets(folder)
    _houses(folder)
    write_machine(folder / "machine.csv", 400, 0)
    write_machine(folder / "labelled.csv", 400, 30)
    _recordings(folder)
    motion(folder / "motion.csv")
    _photos(folder)
    _sounds(folder)
    _watch(folder)
    _arrays(folder)
    _translations(folder)
    for name in ("my_expert", "mlp", "large"):
        (folder / f"{name}.py").write_text(pages.python(f"in `{name}.py`"))
    for name in ("short", "large"):
        (folder / f"{name}.toml").write_text(pages.block(f"in `{name}.toml`"))
    (folder / "adopt.py").write_text(pages.python("<!-- adopt -->"))
    (folder / "sentences.txt").write_text("open the file\nclose the table\n")
    (folder / "yesterday.txt").write_text("".join(f"good film number {n}\n" for n in range(40)))


def translators(folder: Path) -> None:
    """A rival of translation.bundle, for the benchmark only."""
    shutil.copytree(folder / "translation.bundle", folder / "translation-dense.bundle")


def granite(folder: Path) -> None:
    """A language model with a chat template."""
    chatting.bundle(folder / "help.bundle", folder / "granite.bundle")


def _rows(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])


def _texts(folder: Path) -> None:
    words = {"positive": ["good", "fine", "warm"], "negative": ["bad", "dull", "cold"]}
    rows = [
        (f"{RANDOM.choice(words[label])} {noun} number {n}", label)
        for n in range(60)
        for label in words
        for noun in ("film", "phone", "day")
    ]
    _rows(folder / "texts.csv", ("text", "label"), rows)
    _rows(folder / "tweets.csv", ("text", "label"), [(f"lol {text}", one) for text, one in rows])


def _flowers(path: Path, higher: float) -> None:
    kinds = [("blue", "iris", 2.0), ("red", "poppy", 0.5)]
    rows = []
    for n in range(300):
        colour, label, height = kinds[n % 2]
        rows.append((f"{RANDOM.normal(height + higher, 0.2):.2f}", colour, label))
    _rows(path, ("height", "colour", "label"), rows)


def _tickets(folder: Path) -> None:
    """Messages with several labels, one or none."""
    parts = {"bug": "the app crashes", "printing": "the printer is out", "account": "my password"}
    rows = []
    for n in range(300):
        own = [label for place, label in enumerate(parts) if n >> place & 1]
        text = " and ".join(parts[label] for label in own) or "thank you"
        rows.append((f"{text}, number {n}", ";".join(own)))
    _rows(folder / "tickets.csv", ("text", "label"), rows)


def _recordings(folder: Path) -> None:
    """Rows that belong together: 20 persons, and a plant over time."""
    gait = [(n // 15, f"{RANDOM.normal(n % 2, 0.2):.3f}", "ab"[n % 2]) for n in range(300)]
    _rows(folder / "gait.csv", ("person", "speed", "label"), gait)
    plant = [(n, f"{RANDOM.normal(n % 2, 0.2):.3f}", "ab"[n % 2]) for n in range(300)]
    _rows(folder / "plant.csv", ("when", "flow", "label"), plant)


def motion(path: Path, *, scale: float = 1.0) -> None:
    """Six persons, each at rest and walking."""
    rows = []
    for person in range(6):
        for place in range(1000):
            walks = place >= 500
            ax, ay, az = scale * RANDOM.normal(size=3) * (1.5 if walks else 0.1)
            moment = f"{place / 50:.2f}"
            rows.append((f"p{person}", moment, ax, ay, az + 9.8, "walk" if walks else "rest"))
    _rows(path, ("person", "t", "ax", "ay", "az", "label"), rows)


def _watch(folder: Path) -> None:
    """Eight persons, split by person or not."""
    (folder / "watch").mkdir()
    rows = []
    for place in range(8 * 640):
        moves = RANDOM.normal(size=6) * (1.5 if place // 320 % 2 else 0.1)
        values = [f"{value:.3f}" for value in moves]
        label, split = "ab"[place // 320 % 2], ("train", "test", "train", "validation")
        row = (f"p{place // 640}", place // 320, f"{place / 50:.2f}", *values, label)
        rows.append((*row, split[(place // 160 + place // 640) % 4]))
    header = ("person", "recording", "t", "ax", "ay", "az", "gx", "gy", "gz", "label", "split")
    _rows(folder / "watch" / "random.csv", header, rows)
    _rows(folder / "watch" / "watch.csv", header[:-1], [row[:-1] for row in rows])


def _photos(folder: Path) -> None:
    write_photos(folder / "photos", 24)
    for drawn, label in (("disc", "cat"), ("square", "dog")):
        (folder / "photos" / drawn).rename(folder / "photos" / label)
    first = folder / "photos" / "cat" / "000.jpg"
    first.rename(first.with_name("1.jpg"))
    (folder / "emoji").symlink_to(folder / "photos")
    (folder / "cutouts").symlink_to(folder / "photos")
    (folder / "site").symlink_to(folder / "photos")
    # In another process: this one stays without TensorFlow.
    write = "import sys; from tests import small_backbone; small_backbone.write(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", write, folder / "network.keras"],
        cwd=pages.ROOT,
        check=True,
        capture_output=True,
    )


def _sounds(folder: Path) -> None:
    write_sounds(folder / "sounds", 24)
    for made, label in (("chirp", "yes"), ("hum", "no")):
        (folder / "sounds" / made).rename(folder / "sounds" / label)
    first = folder / "sounds" / "yes" / "s0_nohash_0.wav"
    first.rename(first.with_name("1.wav"))
    (folder / "speech").mkdir()
    (folder / "speech" / "words").symlink_to(folder / "sounds")
    for name in ("speech.wav", "noise.wav", "validation.wav", "words.wav"):
        (folder / "speech" / name).write_bytes(wav_file(noise(3, RANDOM), RATE))
    (folder / "speech" / "words.csv").write_text("time,label\n1.500,yes\n", encoding="utf-8")


def _houses(folder: Path) -> None:
    rows = []
    for n in range(300):
        area = RANDOM.uniform(40, 200)
        price, heating = 1500 * area + 40_000 * (n % 3), 0.9 * area
        town = ["Graz", "Linz", "Wien"][n % 3]
        rows.append((f"{area:.1f}", int(area // 30), town, f"{price:.0f}", f"{heating:.1f}"))
    _rows(folder / "houses.csv", ("area", "rooms", "town", "target:price", "target:heating"), rows)


def _arrays(folder: Path) -> None:
    bars = [np.zeros((12, 12)), np.zeros((12, 12)), np.eye(12)]
    bars[0][5], bars[1][:, 5] = 1, 1
    images = [150 * bars[n % 3] + RANDOM.random((12, 12)) * 80 for n in range(300)]
    time = np.arange(40)[:, None]
    waves = [
        (0.6 + 0.8 * (n % 2)) * np.sin(time * (0.2 + 0.3 * (n % 3)) + 6 * RANDOM.random(2))
        for n in range(300)
    ]
    y = np.arange(300) % 3
    for name, x in (
        ("images", np.stack(images).astype(np.uint8)),
        ("gestures", np.stack(waves).astype(np.float32)),
    ):
        np.savez(
            folder / f"{name}.npz",
            x_train=x[:240], y_train=y[:240], x_test=x[240:], y_test=y[240:],
        )  # fmt: skip


def _translations(folder: Path) -> None:
    data = toy()
    head, rows, domains = ("text", "translation", "label", "split"), [], []
    for name in ("train", "validation", "test"):
        split = getattr(data, name)
        for (text, translation), place in zip(split.inputs, split.targets, strict=True):
            rows.append((text, translation, data.labels[place], name))
            if place == 0:
                domains.append((text, translation, "de/help", name))
                domains.append((f"a {text}", f"ein {translation}", "de/packages", name))
    _rows(folder / "translations.csv", head, rows)
    _rows(folder / "domains.csv", head, domains)
