"""Write machine.csv: measurements of a motor, and what a mechanic would say about each."""

import csv
import random
from pathlib import Path

ROWS = 1500


def row(draw: random.Random) -> tuple[int, float, float, str]:
    """Speed (1/min), vibration (mm/s), temperature (°C) and state."""
    label = draw.choice(["ok", "imbalance", "bearing"])
    speed = draw.uniform(300, 3000)
    vibration = draw.gauss(1.0, 0.25)
    temperature = draw.gauss(35 + speed / 150, 3)
    if label == "imbalance":  # a heavy spot: its force grows with the square of the speed
        vibration += 6 * (speed / 3000) ** 2 * draw.uniform(0.7, 1.3)
    if label == "bearing":  # friction: vibration at any speed, and heat
        vibration += draw.uniform(0.8, 2.5)
        temperature += draw.uniform(6, 20)
    return round(speed), round(max(vibration, 0.1), 2), round(temperature, 1), label


if __name__ == "__main__":
    draw = random.Random(0)  # the same file each time
    with Path("machine.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["speed", "vibration", "temperature", "label"])
        writer.writerows(row(draw) for _ in range(ROWS))
    print(f"machine.csv: {ROWS} rows")
