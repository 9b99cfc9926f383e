"""Features in C source: what each kind adds to the files of every bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_experts.errors import UnsuitableError
from edge_experts.features import ArrayFeatures, Features, SoundFeatures

from . import scaling, sensor_windows, sound

_ARRAY = """\
    static float x[EDGE_EXPERTS_INPUTS];  // fill it with the example, its last axis fastest
    edge_experts_encode(x, x);
"""
_SOUND = """\
    static int16_t window[EDGE_EXPERTS_SAMPLES];
    static float x[EDGE_EXPERTS_INPUTS];
    edge_experts_sound_window(samples, count, window);  // the loudest part of a recording
    edge_experts_sound_encode(window, x);
"""
_TABLE = """\
    static float x[EDGE_EXPERTS_INPUTS];
    const double numbers[] = {...};  // as edge_experts_number_names are; NaN: not known
    const int categories[] = {edge_experts_find(0, "..."), ...};  // as edge_experts_categories are
    edge_experts_encode(numbers, categories, x);
"""


@dataclass(frozen=True)
class CFeatures:
    """Share of the features in C source.

    Attributes:
        usage: the lines of README.md that make `x` of an example.
        files: names of files of this package that are written too, the same for every bundle.
        defines: numbers of edge_experts_config.h.
        definitions: arrays of edge_experts_tables.c.
        explained: a section of README.md.
    """

    usage: str
    files: tuple[str, ...] = ()
    defines: Mapping[str, Any] = field(default_factory=dict)
    definitions: str = ""
    explained: str = ""


def _scaled(usage: str, features: Features) -> CFeatures:
    return CFeatures(
        usage, defines=scaling.defines(features), definitions=scaling.definitions(features)
    )


def _array(features: Features) -> CFeatures:
    assert isinstance(features, ArrayFeatures)
    scaled = _scaled(_ARRAY, features)
    if features.stream is None:
        return scaled
    return CFeatures(
        usage=_ARRAY,
        files=sensor_windows.FILES,
        defines={**scaled.defines, **sensor_windows.defines(features)},
        definitions=f"{scaled.definitions}{sensor_windows.definitions(features)}",
        explained=sensor_windows.EXPLAINED,
    )


def _sound(features: Features) -> CFeatures:
    assert isinstance(features, SoundFeatures)
    scaled = _scaled(_SOUND, features)
    return CFeatures(
        usage=_SOUND,
        files=sound.FILES,
        defines={**scaled.defines, **sound.defines(features.log_mel)},
        definitions=f"{scaled.definitions}{sound.definitions(features)}",
        explained=sound.explained(features.log_mel),
    )


# By the kind of features in the manifest.
_KINDS: dict[str, Callable[[Features], CFeatures]] = {
    "array": _array,
    "sound": _sound,
    "table": lambda features: _scaled(_TABLE, features),
}


def c_features(features: Features) -> CFeatures:
    """Return the C source of features of a kind that `refuse_kind` accepts."""
    return _KINDS[features.kind](features)


def refuse_kind(kind: str) -> None:
    """Raise UnsuitableError for features that C lacks."""
    if kind not in _KINDS:
        raise UnsuitableError(
            f"C source supports arrays, windows of sensors, tables and sounds; features of kind "
            f"{kind!r} are computed by code that does not exist in C. Use the runtime in Python, "
            "or convert your inputs to arrays, which a board can do too, and train on them"
        )
