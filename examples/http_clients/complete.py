"""Ask a language model by OpenAI's client; the text is printed as it is written."""

import argparse
import sys
from collections.abc import Iterator

try:
    from openai import APIConnectionError, APIStatusError, OpenAI
except ImportError:
    sys.exit("error: this program needs OpenAI's client: pip install openai")


def continued(client: OpenAI, model: str, prompt: str) -> Iterator[str]:
    for part in client.completions.create(
        model=model, prompt=prompt, max_tokens=32, temperature=0, stream=True
    ):
        yield part.choices[0].text


def answered(client: OpenAI, model: str, question: str) -> Iterator[str]:
    for part in client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        max_tokens=32,
        temperature=0,
        stream=True,
    ):
        yield part.choices[0].delta.content or ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", help="for example http://localhost:8080")
    parser.add_argument("prompt")
    parser.add_argument("--chat", action="store_true", help="the prompt is a message")
    parser.add_argument("--model", default="help", help="name of the bundle, help by default")
    arguments = parser.parse_args()
    # The server checks keys only with --api-key-file; the client demands one.
    client = OpenAI(base_url=f"{arguments.server}/v1", api_key="none", max_retries=0)
    try:
        ask = answered if arguments.chat else continued
        for part in ask(client, arguments.model, arguments.prompt):
            print(part, end="", flush=True)
        print()
    except APIStatusError as error:
        sys.exit(f"error: {error.message}")
    except APIConnectionError:
        sys.exit(f"error: no answer from {arguments.server}; is `edge-experts serve` running?")
