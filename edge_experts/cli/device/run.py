from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import BundleOrRoot, Json, MemoryBudget, Threads

if TYPE_CHECKING:
    from ...runtime import Answer, ExpertRuntime
    from ...runtime.installed import InstalledRuntime

_EVERY = 16  # answers between two looks at whether inputs changed


def run(
    bundle: BundleOrRoot,
    text: Annotated[
        list[str] | None,
        typer.Argument(help="What to answer; without it, lines from stdin.", show_default=False),
    ] = None,
    input: Annotated[  # noqa: A002  the contract's name
        Path | None,
        typer.Option(help="A file: one input on each line, .npy or .csv.", show_default=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="LANGUAGE",
            help="What to translate to, where the bundle translates; LANGUAGE/DOMAIN to choose "
            "the expert too.",
            show_default=False,
        ),
    ] = None,
    memory_budget: MemoryBudget = None,
    threads: Threads = 1,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where an expert cannot be used.")
    ] = False,
    json: Json = False,
) -> None:
    """Answer inputs: from the command line, from a file, or line by line from stdin as they come.

    Where the bundle translates, a line's translation is a line, written sentence by sentence. Where
    a language has several experts, the router picks one for each sentence.

    A text is a line; an image or a window is an array in JSON, a row of a table an object in JSON;
    --input also takes an .npy file of arrays, and a .csv of rows. Where the bundle abstains, the
    label that it would have given stands behind the word. Where an expert is damaged or missing,
    the router's next choice answers, and stderr says so once for each expert. Where bundles are
    installed, a running command moves over to a newly installed one between two inputs. Where
    inputs turn out to differ from those that the bundle was made from, a warning on stderr says so,
    and "drift" is true.

    Example: edge-experts run sentiment.bundle "a film to remember"

    Example: tail -f messages.txt | edge-experts run sentiment.bundle --json

    Example: edge-experts run translation.bundle --to de "Open the file."
    """
    from ...errors import UsageError

    if text and input is not None:
        raise UsageError("give texts or --input, not both")
    from ...runtime.installed import open_runtime
    from .examples import given

    with open_runtime(
        bundle, memory_budget=memory_budget, threads=threads, strict=strict, monitor=True
    ) as runtime:
        watch = _Watch(runtime)
        if runtime.manifest.generation is not None:
            from .translate import translate

            translate(runtime, text, input, to, watch.look, json=json)
            return

        def show(name: str, answer: Answer) -> None:
            if json:
                from json import dumps

                content = {
                    "schema_version": "1.0",
                    "label": answer.label,
                    "score": round(answer.score, 6),
                    "expert": answer.expert,
                    "experts": answer.experts,
                    "abstained": answer.abstained,
                    "degraded": answer.degraded,
                    "reason": answer.reason,
                    **({} if watch.drift is None else {"drift": watch.drift}),
                    "timings": {
                        name: round(value, 1) for name, value in answer.timings._asdict().items()
                    },
                }
                print(dumps(content, ensure_ascii=False), flush=True)
            else:
                # Not the bare label: a script that reads the first column must notice.
                label = f"abstained ({answer.label})" if answer.abstained else answer.label
                asked = "expert" if len(answer.experts) == 1 else "experts"
                numbers = ", ".join(map(str, answer.experts))
                print(f"{label}\t{answer.score:.3f}\t{asked} {numbers}\t{name}", flush=True)

        for name, example in given(text, input, runtime.features, to):
            answer = runtime.predict(example)
            watch.look(answer)
            show(name, answer)
        watch.check_drift()


class _Watch:
    """Says on stderr, once each, which experts are left out, and that inputs changed."""

    def __init__(self, runtime: ExpertRuntime | InstalledRuntime):
        self._runtime, self._answers = runtime, 0
        self._told: set[int] = set()
        self.drift: bool | None = None  # unknown, or the bundle has nothing to compare with

    def look(self, answer: Answer) -> None:
        """After each answer."""
        self._answers += 1
        if answer.degraded:
            for expert, reason in self._runtime.quarantined.items():
                if expert not in self._told:
                    self._told.add(expert)
                    _warn(f"expert {expert} is left out: {reason}")
        if self._answers % _EVERY == 0:
            self.check_drift()

    def check_drift(self) -> None:
        if self.drift:
            return
        found = self._runtime.drift
        if found is not None:
            self.drift = found.drifted
            if found.drifted:
                _warn(found.warning)


def _warn(what: str) -> None:
    print(f"edge-experts: warning: {what}", file=sys.stderr)
