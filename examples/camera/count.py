"""Count the parts that pass a camera, from the lines of `edge-experts run --frames ... --json`."""

import json
import sys
from collections import Counter

FRAMES = 3  # a part is one that these many frames in a row agree on
SURE = 0.6  # the least score of a frame that counts

counts: Counter[str] = Counter()
seen, agreeing = "", 0
for line in sys.stdin:
    answer = json.loads(line)
    # An unsure frame, such as of two parts at once, agrees with nothing.
    label = answer["label"] if answer["score"] >= SURE else ""
    agreeing = agreeing + 1 if label == seen else 1
    seen = label
    if agreeing == FRAMES and label not in ("", "empty"):
        counts[label] += 1
        print(f"{label} number {counts[label]}", flush=True)
print(", ".join(f"{label}: {count}" for label, count in sorted(counts.items())) or "no parts")
