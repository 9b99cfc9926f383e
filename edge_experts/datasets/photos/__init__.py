"""Photos: a folder with one folder of image files for each label."""

from .photo_set import KIND, MEDIUM, Photos, load, read

__all__ = ["KIND", "MEDIUM", "Photos", "load", "read"]
