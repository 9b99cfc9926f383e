"""Sounds: a folder with one folder of WAV files for each label."""

from .sound_set import KIND, MEDIUM, Sounds, load, read

__all__ = ["KIND", "MEDIUM", "Sounds", "load", "read"]
