"""Two bundles answer under one memory limit."""

import argparse
import sys
from pathlib import Path

from edge_experts import ExpertRuntime, MemoryBudget, Prompt
from edge_experts.errors import EdgeExpertsError

BUNDLES = Path(__file__).parents[1]


def main(size: str) -> None:
    budget = MemoryBudget(size)
    with (
        # `context` is the number of tokens whose keys and values have a place in memory.
        ExpertRuntime(BUNDLES / "help.bundle", memory_budget=budget, context=64) as writer,
        ExpertRuntime(BUNDLES / "translation.bundle", memory_budget=budget) as translator,
    ):
        print(f"{'bytes in use':>12}  loads  evictions  answer")

        def tell(answer: str) -> None:
            counts = [writer.counts, translator.counts]
            loads = sum(count.loads for count in counts)
            evictions = sum(count.evictions for count in counts)
            print(f"{budget.used:12,}  {loads:5}  {evictions:9}  {answer}")

        tell("(both are open, no expert is loaded)")
        # Each language has an expert, which is loaded when it is first needed.
        for language in ("de", "fr", "it", "de"):
            tell(f"{language}: {translator.predict(('Open the file.', language)).text}")
        # The writer routes each token to experts of its own in every layer. Where memory is short,
        # it takes that of the translator's experts, which were used less recently.
        tell("".join(writer.stream(Prompt("To open a file, click", max_tokens=12))).strip())
        tell(f"de: {translator.predict(('Open the file.', 'de')).text}")
    # A closed runtime gives its memory back.
    print(f"{budget.used:12,}  after both are closed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", nargs="?", default="64MB", help="the limit, 64MB by default")
    try:
        main(parser.parse_args().size)
    except EdgeExpertsError as error:  # its text names what is wrong and what to do
        sys.exit(f"error: {error}")
