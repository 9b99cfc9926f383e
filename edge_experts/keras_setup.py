"""Import TensorFlow and tf_keras once, set up as this toolkit needs them."""

from __future__ import annotations

import logging
import os
import sys

from .errors import MissingExtraError, UsageError
from .native_stderr import held_back


def import_keras() -> None:
    """tfmot and the converter need Keras 2, which is the package tf_keras.

    Raises:
        MissingExtraError: it is not installed.
        UsageError: TensorFlow was told to use Keras 3, whose layers fail silently in our models.
    """
    if os.environ.setdefault("TF_USE_LEGACY_KERAS", "1") != "1":
        raise UsageError("the environment variable TF_USE_LEGACY_KERAS must be 1, or not be set")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.path.expanduser("~") == "~":  # noqa: PTH111  Path raises
        # Neither $HOME nor an entry in passwd: tf_keras would make a folder called "~" here.
        os.environ.setdefault("KERAS_HOME", os.devnull)
    if "tensorflow" in sys.modules:
        return
    # On a machine without a GPU TensorFlow writes a screen of errors about one while it is
    # imported, below Python and whatever the log level. They come back if the import fails.
    with held_back(lambda line: True):
        try:
            import tf_keras  # noqa: F401
        except ModuleNotFoundError as error:
            if error.name not in ("tensorflow", "tf_keras"):
                raise
            raise MissingExtraError("TensorFlow", "train") from None
    # Advice about retracing, deprecated functions and the like, which no user can follow.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
