"""Spoken words by three speech synthesizers of Debian, and recordings to listen to.

Synthesized speech is cleaner and varies less than that of people. One whole synthesizer is held
out: `test` is spoken by flite, `train` and `validation` by espeak-ng and festival.
"""

from __future__ import annotations

import re
import subprocess
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts.errors import UsageError
from edge_experts.format.atomic import staged
from edge_experts.progress import Progress

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
OTHERS = (
    *("seven", "marvin", "house", "tree", "happy", "window", "water", "nine", "bird", "paper"),
    *("eight", "music", "follow", "visual", "garden", "apple", "zero", "winter", "button", "three"),
)
NOISE, UNKNOWN = "_background_noise_", "_unknown_"
RATE = 16_000
_ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbcwmd")
_VARIANTS = {
    "train": (
        *("f1", "f2", "f3", "m1", "m2", "m3", "m4", "m5", "m6", "adam", "Alicia", "Andy", "david"),
        *("edward", "john", "linda", "max", "Michael", "paul", "steph", "victor", "Lee", "Annie"),
    ),
    "validation": ("f4", "f5", "m7", "m8", "robert", "belinda"),
}
_FESTIVAL = ("cmu_us_slt_arctic_hts", "kal_diphone")
_FLITE = {"awb": 110, "rms": 100, "slt": 170, "kal16": 105}  # with the usual pitch
_SENTENCE = re.compile(r"[A-Z][a-z][^.]{30,200}\.")
_LICENCES = Path("/usr/share/common-licenses")
_PAUSE = 8000  # samples between two sentences


@dataclass(frozen=True)
class _Spoken:
    """A word by one voice of one synthesizer, and the file for it."""

    path: Path
    word: str
    voice: str
    tempo: float
    pitch: int


def write(out: Path, minutes: int, seed: int = 0, *, force: bool = False) -> int:
    """Write the folder.

    It has folders `train`, `validation` and `test` of the ten words, `_unknown_` words and
    `_background_noise_`; and the recordings `speech.wav`, sentences without these words by flite,
    and `noise.wav`.

    Args:
        minutes: length of each recording.

    Returns:
        The number of files of words.

    Raises:
        UsageError: a synthesizer is not installed, or the folder exists and `force` is not given.
    """
    random = np.random.default_rng(seed)
    with staged(out, force=force) as folder:
        words = list(_words(Path(folder) / "words", random))
        by_festival = [one for one in words if one.voice in _FESTIVAL]
        others = [one for one in words if one.voice not in _FESTIVAL]
        _festival(by_festival)
        with Progress(f"Speaking {len(others):,} words", 20) as progress:
            for place, one in enumerate(others):
                _flite(one) if one.voice in _FLITE else _espeak(one)
                if place % (len(others) // 20) == 0:
                    progress.step()
        for split, files in (("train", 6), ("validation", 2), ("test", 3)):
            noise = Path(folder) / "words" / split / NOISE
            noise.mkdir()
            for place in range(files):
                _write(noise / f"{place}.wav", _noise(20 * RATE, random))
        _write(Path(folder) / "noise.wav", _noises(minutes, random))
        _speech(Path(folder) / "speech.wav", minutes, random)
    return len(words)


def _words(folder: Path, random: np.random.Generator) -> Iterator[_Spoken]:
    """Every word by every voice, at a few speeds and pitches."""
    for word in (*WORDS, *OTHERS):
        few = word in OTHERS
        for split, variants in _VARIANTS.items():
            for voice in [f"{accent}+{one}" for accent in _ACCENTS for one in variants]:
                if not few or random.random() < 0.2:
                    yield _spoken(folder / split, word, voice, random, 50)
        for voice in _FESTIVAL:
            for _ in range(3 if few else 12):
                yield _spoken(folder / "train", word, voice, random, 0)
        for voice, pitch in _FLITE.items():
            for _ in range(1 if few else 6):
                yield _spoken(folder / "test", word, voice, random, pitch)


def _spoken(
    folder: Path, word: str, voice: str, random: np.random.Generator, pitch: int
) -> _Spoken:
    label = word if word in WORDS else UNKNOWN
    (folder / label).mkdir(parents=True, exist_ok=True)
    tempo = float(random.uniform(0.8, 1.25))
    pitch = int(pitch * random.uniform(0.8, 1.25))
    name = f"{voice.replace('-', '_')}_nohash_{word}_{random.integers(10**6)}.wav"
    return _Spoken(folder / label / name, word, voice, tempo, pitch)


def _run(command: Sequence[str], text: str | None = None) -> None:
    try:
        subprocess.run(command, input=text, capture_output=True, encoding="utf-8", check=True)
    except FileNotFoundError:
        raise UsageError(
            f"{command[0]}: not found; install espeak-ng, flite, festival, festvox-us-slt-hts and "
            "festvox-kallpc16k from Debian"
        ) from None
    except subprocess.CalledProcessError as error:
        raise UsageError(f"{command[0]}: {error.stderr[-300:]}") from None


def _espeak(one: _Spoken) -> None:
    speed, pitch = str(round(165 * one.tempo)), str(one.pitch)
    _run(["espeak-ng", "-v", one.voice, "-s", speed, "-p", pitch, "-w", str(one.path), one.word])


def _flite(one: _Spoken) -> None:
    settings = [f"duration_stretch={1 / one.tempo:.3f}", f"int_f0_target_mean={one.pitch}"]
    options = [word for setting in settings for word in ("--setf", setting)]
    _run(["flite", "-voice", one.voice, *options, "-t", one.word, "-o", str(one.path)])


def _festival(every: Sequence[_Spoken]) -> None:
    lines = []
    for one in sorted(every, key=lambda one: one.voice):
        lines += [
            f"(voice_{one.voice})",
            f"(Parameter.set 'Duration_Stretch {1 / one.tempo:.3f})",
            f'(utt.save.wave (utt.synth (Utterance Text "{one.word}")) "{one.path}")',
        ]
    _run(["festival", "--pipe"], "\n".join(lines))


def _noise(count: int, random: np.random.Generator) -> np.ndarray:
    """Coloured noise with a hum or clicks, at a random level, (count,) int16."""
    spectrum = np.fft.rfft(random.normal(size=count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20)
    sound = np.fft.irfft(spectrum * frequency ** -random.uniform(0, 1.2), count)
    sound /= sound.std()
    time = np.arange(count) / RATE
    if random.random() < 0.4:
        hum = sum(np.sin(2 * np.pi * random.uniform(40, 400) * time) for _ in range(3))
        sound += random.uniform(0.3, 2) * hum
    if random.random() < 0.4:
        for start in random.integers(0, count - 2000, count // RATE * 3):
            click = np.exp(-np.arange(2000) / random.uniform(20, 500))
            sound[start : start + 2000] += random.normal(0, 6, 2000) * click
    level = 10 ** random.uniform(1.5, 3.2)
    samples: np.ndarray = np.clip(np.rint(sound * level), -32768, 32767)
    return samples.astype(np.int16)


def _noises(minutes: int, random: np.random.Generator) -> np.ndarray:
    return np.concatenate([_noise(10 * RATE, random) for _ in range(6 * minutes)])


def _speech(path: Path, minutes: int, random: np.random.Generator) -> None:
    """Sentences of licences that have none of the words, spoken by flite."""
    said = set(WORDS)
    sentences = sorted(
        {
            " ".join(found.split())
            for name in ("GPL-3", "Apache-2.0", "MPL-2.0", "GFDL-1.3", "Artistic")
            for found in _SENTENCE.findall((_LICENCES / name).read_text("utf-8"))
            if not said & set(re.findall(r"[a-z]+", found.lower()))
        }
    )
    if not sentences:
        raise UsageError(f"{_LICENCES}: no sentences of licences; this program runs on Debian")
    wanted, parts = minutes * 60 * RATE, []
    with Progress(f"Speaking {minutes} minutes", 20) as progress:
        count = told = 0
        while count < wanted:
            voice = list(_FLITE)[int(random.integers(len(_FLITE)))]
            word = sentences[int(random.integers(len(sentences)))]
            tempo, pitch = random.uniform(0.8, 1.25), _FLITE[voice] * random.uniform(0.8, 1.25)
            _flite(_Spoken(path, word, voice, float(tempo), int(pitch)))
            with wave.open(str(path)) as file:
                sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            parts += [sound, np.zeros(_PAUSE, np.int16)]
            count += len(sound) + _PAUSE
            while told < 20 and count * 20 >= (told + 1) * wanted:
                told += 1
                progress.step()
    _write(path, np.concatenate(parts)[:wanted])


def _write(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
