"""Say what was heard, from the lines of `edge-experts run --listen --json`."""

import json
import sys

SENTENCES = {
    "doorbell": "Somebody rings.",
    "knock": "Somebody knocks.",
    "smoke_alarm": "Smoke! Call for help.",
}

for line in sys.stdin:  # each line is a detection, and comes while the stream goes on
    heard = json.loads(line)
    print(f"{heard['time']:6.1f} s  {SENTENCES[heard['label']]} ({heard['score']:.2f})", flush=True)
