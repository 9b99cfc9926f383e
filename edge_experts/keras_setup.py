"""Import of TensorFlow and tf_keras, configured for this toolkit."""

from __future__ import annotations

import logging
import os
import sys

from .errors import MissingExtraError, UsageError
from .native_stderr import held_back


def import_keras() -> None:
    """Import TensorFlow and tf_keras, that is Keras 2, which tfmot and the converter need.

    Raises:
        MissingExtraError: it is not installed.
        UsageError: TensorFlow is set to use Keras 3, whose layers fail silently in our models.
    """
    if os.environ.setdefault("TF_USE_LEGACY_KERAS", "1") != "1":
        raise UsageError("the environment variable TF_USE_LEGACY_KERAS must be 1, or not be set")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.path.expanduser("~") == "~":  # noqa: PTH111  Path raises
        # Without $HOME and an entry in passwd, tf_keras would create a folder called "~" here.
        os.environ.setdefault("KERAS_HOME", os.devnull)
    if "tensorflow" in sys.modules:
        return
    # Without a GPU, TensorFlow writes a screen of GPU errors during the import, from C++ code and
    # whatever the log level. They are shown only if the import fails.
    with held_back(lambda line: True):
        try:
            import tf_keras  # noqa: F401
        except ModuleNotFoundError as error:
            if error.name not in ("tensorflow", "tf_keras"):
                raise
            raise MissingExtraError("TensorFlow", "train") from None
    # Warnings about retracing, deprecated functions and the like; users can do nothing about them.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
