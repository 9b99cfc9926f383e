from __future__ import annotations

from typing import Annotated

import typer

from ...registry import Registry
from ..help import RARE, WRITING
from ..shared_options import (
    BundleOrRoot,
    Context,
    ExpertsPerToken,
    MemoryBudget,
    PreferResident,
    Threads,
)

CHATS = Registry(
    "edge_experts.chats", {"language-model": f"{__package__}.tasks.language_chat:chat"}
)


def chat(
    bundle: BundleOrRoot,
    system: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Instructions before the conversation.", show_default="none"
        ),
    ] = None,
    max_tokens: Annotated[
        int,
        typer.Option(help="Largest number of tokens of an answer.", rich_help_panel=WRITING),
    ] = 512,
    temperature: Annotated[
        float,
        typer.Option(
            help="0: always the most probable token; 1: by its probability.",
            rich_help_panel=WRITING,
        ),
    ] = 0.0,
    top_p: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Choose among the most probable tokens of this probability.",
            rich_help_panel=WRITING,
        ),
    ] = 1.0,
    repetition_penalty: Annotated[
        float,
        typer.Option(
            metavar="FACTOR",
            help="Factor against tokens that the conversation has already.",
            rich_help_panel=WRITING,
        ),
    ] = 1.0,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="End an answer before this text; repeatable.",
            rich_help_panel=WRITING,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice.", rich_help_panel=WRITING)] = 0,
    context: Context = None,
    prefer_resident: PreferResident = 0.0,
    experts_per_token: ExpertsPerToken = None,
    memory_budget: MemoryBudget = None,
    threads: Threads = 1,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail at a broken expert.", rich_help_panel=RARE)
    ] = False,
) -> None:
    """Talk to a language model on the terminal.

    Each line is a message, and its answer is printed as it is written. Ctrl-C stops an answer, not
    the program. /reset begins a new conversation; /exit or the end of the input (Ctrl-D) ends it.

    The messages before are part of what the model reads: it computes only what is new of them. If
    they no longer fit its context, the command says so.

    The bundle needs a chat template: the checkpoint that it was made of must have been trained for
    conversations.

    Example: edge-experts chat granite.bundle --system "Answer in one sentence."

    Example: edge-experts chat granite.bundle --temperature 0.7 --top-p 0.9 --memory-budget 900MB
    """
    from ...errors import UsageError
    from ...runtime.installed import open_runtime
    from ...runtime.tasks.language_model.sampling import Sampling
    from ..utf8 import checked

    checked([system] if system is not None else None)
    checked(stop)
    sampling = Sampling(temperature, top_p, repetition_penalty, seed)
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
        name = runtime.task.name
        if not CHATS.has(name):
            raise UsageError(
                f"{bundle}: chat is for language models, and this bundle is of {name}; "
                "edge-experts run answers its inputs"
            )
        CHATS.get(name)(runtime, system, max_tokens, tuple(stop or ()), sampling)
