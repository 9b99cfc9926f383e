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
    minutes: Annotated[int, typer.Option(min=1, help="Length of each recording.")] = 30,
    force: Force = False,
) -> None:
    """Write a folder of synthesized words.

    Ten words, other words and noise, by espeak-ng, festival and, held out as test, flite. These
    programs of Debian must be installed. It takes some minutes.

    Example: python -m benchmarks speech speech/
    """
    from .speech import write

    count = write(out, minutes, force=force)
    output.say(f"{out}: {count:,} words, {minutes} minutes of other speech, as much of noise")


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
