"""Make the sounds of a house: recordings to learn from, or an evening as a microphone hears it.

python microphone.py sounds       writes sounds/LABEL/*.wav
python microphone.py evening      writes one WAV stream to stdout
"""

import sys
import wave
from pathlib import Path
from typing import BinaryIO

import numpy as np

RATE = 16_000  # samples per second
LABELS = ("doorbell", "knock", "smoke_alarm")
EVENING = ("doorbell", "knock", "smoke_alarm", "knock")


def sound(label: str, draw: np.random.Generator) -> np.ndarray:
    """Half a second, (samples,): pitch, length and loudness differ each time."""
    time = np.arange(RATE // 2) / RATE
    pitch, start = draw.uniform(0.9, 1.1), draw.uniform(0, 0.08)
    late = (time - start).clip(0)
    samples = {
        # Two tones, the second one lower, that fade.
        "doorbell": np.sin(2 * np.pi * pitch * np.where(late < 0.2, 830, 660) * late)
        * np.exp(-5 * (late % 0.2)),
        # Three short bursts of noise.
        "knock": draw.normal(0, 1, len(time)) * (late % 0.15 < 0.02) * (late < 0.45),
        # A loud tone that comes and goes.
        "smoke_alarm": np.sign(np.sin(2 * np.pi * pitch * 3000 * late)) * (late % 0.25 < 0.18),
    }[label]
    return draw.uniform(3000, 12_000) * samples * (time >= start) + noise(0.5, draw)


def noise(seconds: float, draw: np.random.Generator) -> np.ndarray:
    return draw.normal(0, 150, int(seconds * RATE))


def write(samples: np.ndarray, target: str | BinaryIO) -> None:
    content = samples.clip(-32768, 32767).astype("<i2").tobytes()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, RATE, len(samples), "NONE", ""))  # one channel of 16 bits
        file.writeframesraw(content)


def write_sounds(folder: Path, each: int = 36) -> None:
    draw = np.random.default_rng(0)
    for label in LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            # The name before _nohash_ is a house: no house is in two splits.
            name = f"house{number % 12}_nohash_{number // 12}.wav"
            write(sound(label, draw), str(folder / label / name))
    # What is heard when nothing happens is a label too, and never a detection.
    (folder / "_background_noise_").mkdir(exist_ok=True)
    write(noise(20, draw), str(folder / "_background_noise_" / "room.wav"))
    print(f"{folder}: {each} sounds each of {', '.join(LABELS)}, and 20 s of noise")


def write_evening(target: BinaryIO) -> None:
    draw = np.random.default_rng(1)
    parts = [part for label in EVENING for part in (noise(2, draw), sound(label, draw))]
    write(np.concatenate([*parts, noise(1, draw)]), target)


if __name__ == "__main__":
    if sys.argv[1:] == ["sounds"]:
        write_sounds(Path("sounds"))
    elif sys.argv[1:] == ["evening"]:
        write_evening(sys.stdout.buffer)
    else:
        sys.exit(__doc__)
