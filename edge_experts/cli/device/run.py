from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..help import RARE, WRITING
from ..shared_options import (
    BundleOrRoot,
    Context,
    ExpertsPerToken,
    Json,
    MemoryBudget,
    PreferResident,
    Threads,
)


def run(
    bundle: BundleOrRoot,
    text: Annotated[
        list[str] | None,
        typer.Argument(help="Inputs; lines of stdin if there are none.", show_default=False),
    ] = None,
    input: Annotated[  # noqa: A002  the contract's name
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Inputs, as for training: .csv, .npz, .jsonl, lines ...",
            show_default="lines of stdin",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="LANGUAGE",
            help="Language to translate to; LANGUAGE/DOMAIN to choose the expert.",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(help="Largest number of tokens.", show_default="128", rich_help_panel=WRITING),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="0: always the most probable token; 1: by its probability.",
            show_default="0",
            rich_help_panel=WRITING,
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Choose among the most probable tokens of this probability.",
            show_default="1",
            rich_help_panel=WRITING,
        ),
    ] = None,
    repetition_penalty: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR",
            help="Factor against tokens that the text has already.",
            show_default="1",
            rich_help_panel=WRITING,
        ),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="End before this text; repeatable.", rich_help_panel=WRITING
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the choice.", show_default="0", rich_help_panel=WRITING),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(
            metavar="WxH:FORMAT",
            help="Raw frames on stdin: yuv420, rgb24 or grey, as 640x480:yuv420.",
        ),
    ] = None,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream", help="Rows of sensors on stdin; an answer for each window of them."
        ),
    ] = False,
    listen: Annotated[
        bool,
        typer.Option(
            "--listen",
            help="Detect sounds in a stream on stdin: WAV, or raw 16 bits at the bundle's rate.",
        ),
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            help="Least mean score of a detection of --listen.",
            min=0,
            max=1,
            show_default="0.7",
        ),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Time between two windows of --listen.",
            show_default="an eighth of a window",
            rich_help_panel=RARE,
        ),
    ] = None,
    context: Context = None,
    prefer_resident: PreferResident = 0.0,
    experts_per_token: ExpertsPerToken = None,
    memory_budget: MemoryBudget = None,
    threads: Threads = 1,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Fail at a broken line or expert.", rich_help_panel=RARE),
    ] = False,
    json: Json = False,
) -> None:
    """Answer inputs from the command line, a file or stdin.

    Each line of a text is translated to one line, printed sentence by sentence. If a language has
    several experts, the router picks one for each sentence.

    A text is a line, an image or a window an array in JSON, and a row of a table an object in JSON.
    --input also takes the files of `train`. A line that cannot be answered is reported on stderr,
    the others are answered, and the exit code is 2. An abstained answer shows its label in
    brackets.

    A photo is an image file, a sound a .wav file, or a folder of them. --frames reads a camera's
    frames. --listen prints a line with the time for each detection in a stream, or in --input.
    --stream reads rows of sensors, and answers each window as its last row comes.

    A language model continues each text, or one line of a file or stdin after the other, and prints
    the tokens as they come. With --json one object for each text has the whole continuation and its
    measurements.

    If an expert is damaged or missing, the router's next choice answers, with one warning for each
    expert on stderr. In a folder that bundles are installed in, a running command switches to a new
    version between two inputs. If the inputs drift from the validation data, there is a warning on
    stderr, and "drift" is true.

    Example: edge-experts run sentiment.bundle "a film to remember"

    Example: tail -f messages.txt | edge-experts run sentiment.bundle --json

    Example: edge-experts run help.bundle "To open a file" --max-tokens 60

    Example: edge-experts run photos.bundle photo.jpg

    Example: ./read_sensor | edge-experts run motion.bundle --stream

    Example: arecord -f S16_LE -r 16000 -c 1 | edge-experts run sounds.bundle --listen

    Example: edge-experts run translation.bundle --to de "Open the file."
    """
    from ...errors import UsageError
    from ..utf8 import checked

    if text and input is not None:
        raise UsageError("give texts or --input, not both")
    for option, is_given in (("--frames", frames is not None), ("--stream", stream)):
        if is_given and (text or input is not None):
            raise UsageError(f"{option} is read from stdin; remove the other inputs")
    if listen and (text or frames is not None):
        raise UsageError("--listen reads stdin or --input FILE.wav; remove the other inputs")
    if not listen and (threshold is not None or hop is not None):
        raise UsageError("--threshold and --hop are for --listen; add it, or remove them")
    checked(text)
    options = {
        "--to": to,
        "--max-tokens": max_tokens,
        "--temperature": temperature,
        "--top-p": top_p,
        "--repetition-penalty": repetition_penalty,
        "--stop": stop or None,
        "--seed": seed,
        "--frames": frames,
        "--stream": stream,
        "--listen": listen,
        "--threshold": threshold,
        "--hop": hop,
    }
    from ...runtime.installed import open_runtime
    from .tasks import check_options, commands_of
    from .watch import Watch

    with open_runtime(
        bundle,
        memory_budget=memory_budget,
        threads=threads,
        strict=strict,
        context=context,
        prefer_resident=prefer_resident,
        experts_per_token=experts_per_token,
        monitor=True,
    ) as runtime:
        commands = commands_of(runtime.task)
        check_options(commands, runtime.task.name, options)
        watch = Watch(runtime, json=json, strict=strict, drift=not listen)
        commands.run(runtime, text, input, options, watch, json=json)
        watch.finish()
