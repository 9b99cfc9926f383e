"""Say what was heard, from the lines of `edge-experts run --listen --json`."""

import json
import sys

SENTENCES = {
    "doorbell": "Somebody rings.",
    "knock": "Somebody knocks.",
    "smoke_alarm": "Smoke! Call for help.",
}

AGAIN = 1.0  # seconds: a sound that is told again within these is the same one

last: dict[str, float] = {}  # by label, the time of its last detection
for line in sys.stdin:  # each line is a detection, and comes while the stream goes on
    heard = json.loads(line)
    label, time = heard["label"], heard["time"]
    if time - last.get(label, -AGAIN) >= AGAIN:
        print(f"{time:6.1f} s  {SENTENCES[label]} ({heard['score']:.2f})", flush=True)
    last[label] = time
