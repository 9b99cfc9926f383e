"""Photos: a folder with one folder of image files for each label."""

from .photo_folder import has_photos
from .photo_set import KIND, Photos, load, read

__all__ = ["KIND", "Photos", "has_photos", "load", "read"]
