"""Spoken words by four speech synthesizers, and recordings to listen to.

Synthesized speech is cleaner and varies less than that of people. One whole synthesizer is held
out for the test, with the persons whose recordings it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from zlib import crc32

import numpy as np

from edge_experts.errors import UsageError
from edge_experts.format.atomic import staged
from edge_experts.progress import Progress

from .noises import long_noise, noise
from .synthesizers import (
    ENGINES,
    RATE,
    Utterance,
    Voice,
    by_split,
    samples_of,
    speak,
    write_wav,
)

Voices = Mapping[str, Sequence[Voice]]  # by split
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
OTHERS = (
    *("seven", "marvin", "house", "tree", "happy", "window", "water", "nine", "bird", "paper"),
    *("eight", "music", "follow", "visual", "garden", "apple", "zero", "winter", "button", "three"),
)
NOISE, UNKNOWN = "_background_noise_", "_unknown_"
_TAKES = {"train": 20, "validation": 16, "test": 8}  # of a word by a voice
_OTHER_TAKES = 0.15  # of other words, for each take of a word
_SENTENCES = {"train": 80, "validation": 20, "test": 20}  # cut into windows of other speech
_NOISES = {"train": 12, "validation": 3, "test": 3}
_SENTENCE = re.compile(r"[A-Z][a-z][^.]{30,200}\.")
_LICENCES = Path("/usr/share/common-licenses")
_PAUSE = RATE // 2  # samples between two sentences
_APART = 3 * RATE  # samples between the starts of two words of a recording
_QUIET = 10.0  # a recording of words has noise of this standard deviation


def write(
    out: Path, minutes: float, seed: int = 0, held_out: str = "flite", *, force: bool = False
) -> int:
    """Write the folder.

    It has `words`, with folders `train`, `validation` and `test` of the ten words, `_unknown_`
    words and speech, and `_background_noise_`; and recordings: `speech.wav` has sentences without
    these words by the synthesizer that is held out, `noise.wav` noise, `validation.wav` both, of
    the voices of validation, and `words.wav` the words of the test at the times in `words.csv`.

    Args:
        minutes: length of `speech.wav`, `noise.wav` and `validation.wav`.
        held_out: one of ENGINES.

    Returns:
        The number of words.

    Raises:
        UsageError: a synthesizer is not known or not installed, or the folder exists and `force`
            is not given.
    """
    if held_out not in ENGINES:
        raise UsageError(f"--held-out {held_out}: must be one of {', '.join(ENGINES)}")
    random = np.random.default_rng(seed)
    voices = by_split(held_out)
    with staged(out, force=force) as stage:
        folder = Path(stage)
        words = list(_words(folder / "words", voices, random))
        with Progress(f"Speaking {len(words):,} words", len(words)) as progress:
            for _ in speak(words):
                progress.step()
        for split, own in voices.items():
            _other_speech(folder / "words" / split / UNKNOWN, split, own, random)
            (folder / "words" / split / NOISE).mkdir()
            for place in range(_NOISES[split]):
                path = folder / "words" / split / NOISE / f"{place}.wav"
                write_wav(path, noise(20 * RATE, random))
        for place, (name, write_one) in enumerate(RECORDINGS.items(), 1):
            write_one(folder / name, minutes, voices, np.random.default_rng((seed, place)))
        _stream(folder, [one for one in words if one.path.parts[-3] == "test"], random)
    return len(words)


def _words(folder: Path, voices: Voices, random: np.random.Generator) -> Iterator[Utterance]:
    """Every word by every voice, at random speeds and pitches."""
    for split, own in voices.items():
        for word in (*WORDS, *OTHERS):
            label = word if word in WORDS else UNKNOWN
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            for voice in own:
                wanted = _TAKES[split] * voice.share * (_OTHER_TAKES if word in OTHERS else 1)
                for take in range(int(wanted + random.random())):
                    name = f"{_speaker(voice)}_nohash_{word}_{take}.wav"
                    yield _utterance(folder / split / label / name, word, voice, random)


def _speaker(voice: Voice) -> str:
    return f"{voice.engine}_{voice.name}".replace("-", "_")


def _utterance(path: Path, text: str, voice: Voice, random: np.random.Generator) -> Utterance:
    tempo, pitch = random.uniform(0.75, 1.3, 2)
    return Utterance(path, text, voice, float(tempo), float(pitch))


def _other_speech(
    folder: Path, split: str, voices: Sequence[Voice], random: np.random.Generator
) -> None:
    """Windows of a second of sentences, which have parts of words too."""
    path = folder / "sentence.wav"
    for number in range(_SENTENCES[split]):
        one = _utterance(path, _pick(_sentences(split), random), _voice(voices, random), random)
        list(speak([one]))
        sound = samples_of(path)
        for place in range(len(sound) // RATE):
            name = f"{_speaker(one.voice)}_nohash_sentence{number}_{place}.wav"
            write_wav(folder / name, sound[place * RATE : (place + 1) * RATE])
    path.unlink(missing_ok=True)


def _voice(voices: Sequence[Voice], random: np.random.Generator) -> Voice:
    """A random voice of a random synthesizer."""
    engine = _pick(sorted({one.engine for one in voices}), random)
    own = [one.name for one in voices if one.engine == engine]
    name = _pick(own, random)
    return next(one for one in voices if (one.engine, one.name) == (engine, name))


def _pick(every: Sequence[str], random: np.random.Generator) -> str:
    return every[int(random.integers(len(every)))]


def _sentences(split: str) -> list[str]:
    """Sentences of licences without the words to be learned; each is in one split only."""
    said = set(WORDS)
    every = {
        " ".join(found.split())
        for name in ("GPL-3", "Apache-2.0", "MPL-2.0", "GFDL-1.3", "Artistic")
        if (_LICENCES / name).is_file()
        for found in _SENTENCE.findall((_LICENCES / name).read_text("utf-8"))
        if not said & set(re.findall(r"[a-z]+", found.lower())) and '"' not in found
    }
    if not every:
        raise UsageError(f"{_LICENCES}: no sentences of licences; this program runs on Debian")
    place = list(_SENTENCES).index(split)
    return sorted(one for one in every if crc32(one.encode()) % len(_SENTENCES) == place)


def _validation(path: Path, minutes: float, voices: Voices, random: np.random.Generator) -> None:
    """Other speech of the voices of validation, and as much noise."""
    speech = _speech(path, _sentences("validation"), minutes / 2, voices["validation"], random)
    write_wav(path, np.concatenate([speech, long_noise(minutes / 2, random)]))


def _other(path: Path, minutes: float, voices: Voices, random: np.random.Generator) -> None:
    write_wav(path, _speech(path, _sentences("test"), minutes, voices["test"], random))


def _noise(path: Path, minutes: float, _: Voices, random: np.random.Generator) -> None:
    write_wav(path, long_noise(minutes, random))


# By name; each depends on the seed alone, not on those before it.
RECORDINGS: Mapping[str, Callable[[Path, float, Voices, np.random.Generator], None]] = {
    "validation.wav": _validation,
    "speech.wav": _other,
    "noise.wav": _noise,
}


def _speech(
    path: Path,
    sentences: Sequence[str],
    minutes: float,
    voices: Sequence[Voice],
    random: np.random.Generator,
) -> np.ndarray:
    """Sentences by voices, (samples,) int16; `path` is a file to overwrite."""
    wanted, parts, count = round(minutes * 60 * RATE), list[np.ndarray](), 0
    with Progress(f"Speaking {minutes:g} minutes", 20) as progress:
        while count < wanted:
            one = _utterance(path, _pick(sentences, random), _voice(voices, random), random)
            list(speak([one]))
            parts += [samples_of(path), np.zeros(_PAUSE, np.int16)]
            count += len(parts[-2]) + _PAUSE
            while progress.done < min(20, count * 20 // wanted):
                progress.step()
    sound: np.ndarray = np.concatenate(parts)[:wanted]
    return sound


def _stream(folder: Path, words: Sequence[Utterance], random: np.random.Generator) -> None:
    """The words of the test in quiet noise, `words.wav`, and the middle of each, `words.csv`."""
    spoken = [one for one in words if one.text in WORDS]
    sound = random.normal(0, _QUIET, (len(spoken) + 1) * _APART)
    rows = ["time,label"]
    for place, number in enumerate(random.permutation(len(spoken)), 1):
        samples = samples_of(spoken[number].path)[: 2 * _APART // 3]
        sound[place * _APART : place * _APART + len(samples)] += samples
        middle = (place * _APART + len(samples) / 2) / RATE
        rows.append(f"{middle:.3f},{spoken[number].text}")
    write_wav(folder / "words.wav", np.clip(np.rint(sound), -32768, 32767).astype(np.int16))
    (folder / "words.csv").write_text("\n".join(rows) + "\n", "utf-8")
