"""Ask a translator by the Open Inference Protocol, with nothing but the standard library."""

import argparse
import json
import sys
import urllib.error
import urllib.request


def translate(server: str, language: str, sentences: list[str]) -> list[str]:
    # A tensor has a place for each example: several sentences are one request.
    tensors = [
        {"name": "text", "datatype": "BYTES", "shape": [len(sentences)], "data": sentences},
        {
            "name": "to",
            "datatype": "BYTES",
            "shape": [len(sentences)],
            "data": [language] * len(sentences),
        },
    ]
    request = urllib.request.Request(
        f"{server}/v2/models/translation/infer", json.dumps({"inputs": tensors}).encode()
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        outputs = {one["name"]: one["data"] for one in json.load(response)["outputs"]}
    return outputs["text"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", help="for example http://localhost:8080")
    parser.add_argument("language", help="de, fr, it or es")
    parser.add_argument("sentences", nargs="+", metavar="sentence")
    arguments = parser.parse_args()
    try:
        found = translate(arguments.server, arguments.language, arguments.sentences)
    except urllib.error.HTTPError as error:  # the server's answer says what is wrong
        sys.exit(f"error: {error.code}: {json.load(error)['error']}")
    except urllib.error.URLError as error:
        sys.exit(f"error: {arguments.server}: {error.reason}; is `edge-experts serve` running?")
    for sentence, text in zip(arguments.sentences, found, strict=True):
        print(f"{sentence} -> {text}")
