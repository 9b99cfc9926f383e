"""Continue a text, and then what was written."""

import argparse
import sys
from pathlib import Path

from edge_experts import ExpertRuntime, Prompt, Sampling
from edge_experts.errors import EdgeExpertsError

BUNDLE = Path(__file__).parents[1] / "help.bundle"
TOKENS = 24  # of each continuation


def main(prompt: str, temperature: float) -> None:
    sampling = Sampling(temperature=temperature, top_p=0.9, seed=1)
    text = prompt
    with ExpertRuntime(BUNDLE, memory_budget="24MB") as runtime:
        print(text, end="", flush=True)
        for _ in range(2):
            stream = runtime.stream(Prompt(text, max_tokens=TOKENS, sampling=sampling))
            for part in stream:
                print(part, end="", flush=True)
                text += part
            answer = stream.answer()
            print(
                f"\n  [{answer.tokens} tokens after {answer.prompt_tokens}, of which "
                f"{answer.reused_tokens} were known; {answer.expert_loads} experts loaded, "
                f"{answer.expert_hits} found in memory; ended by {answer.finish_reason}]"
            )
            if answer.finish_reason == "stop":  # the model ended the text
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompt")
    parser.add_argument("temperature", nargs="?", type=float, default=0.0)
    arguments = parser.parse_args()
    try:
        main(arguments.prompt, arguments.temperature)
    except EdgeExpertsError as error:  # its text names what is wrong and what to do
        sys.exit(f"error: {error}")
