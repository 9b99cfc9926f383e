"""Import TensorFlow and tf_keras once, set up as this toolkit needs them."""

from __future__ import annotations

import os
import sys
import tempfile

from .errors import MissingExtraError, UsageError


def import_keras() -> None:
    """tfmot and the converter need Keras 2, which is the package tf_keras.

    Raises:
        MissingExtraError: it is not installed.
        UsageError: TensorFlow was told to use Keras 3, whose layers fail silently in our models.
    """
    if os.environ.setdefault("TF_USE_LEGACY_KERAS", "1") != "1":
        raise UsageError("the environment variable TF_USE_LEGACY_KERAS must be 1, or not be set")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        return
    # On a machine without a GPU TensorFlow writes a screen of errors about one while it is
    # imported, below Python and whatever the log level. They come back if the import fails.
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            import tf_keras  # noqa: F401
        except ModuleNotFoundError as error:
            if error.name not in ("tensorflow", "tf_keras"):
                raise
            raise MissingExtraError("TensorFlow", "train") from None
        except BaseException:
            log.seek(0)
            os.write(kept, log.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
