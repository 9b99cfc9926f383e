"""Every failure a user can meet, one class per cause; `exit_code` is what the command returns."""

from __future__ import annotations

from . import installation


class EdgeExpertsError(Exception):
    """Something went wrong that the message explains, with the remedy where there is one."""

    exit_code = 1


class UsageError(EdgeExpertsError):
    """An option, a path or an argument cannot be used as given."""

    exit_code = 2


class DataError(UsageError):
    """The data set cannot be used: no such column, empty, one class only ..."""


class RunFolderError(UsageError):
    """The folder is not a finished training run."""


class UnsuitableError(UsageError):
    """A method does not hold for this network."""


class BundleError(EdgeExpertsError):
    """The bundle or one of its models must not be used."""

    exit_code = 3


class ManifestError(BundleError):
    """The manifest is missing, is not JSON, or says something that it must not say."""


class FormatVersionError(BundleError):
    """The bundle was written in a format that this version does not know."""


class DigestError(BundleError):
    """A file is missing, has another length, or other bytes than the manifest pins."""


class ModelError(BundleError):
    """The interpreter refuses a model, or a model does not fit its manifest."""


class SignatureError(BundleError):
    """Nobody whose key is trusted signed the bundle, or it was changed since."""


class OldVersionError(BundleError):
    """The bundle's version is not above the newest that was ever installed there."""


class GoldenError(BundleError):
    """On this machine the bundle does not give the answers that it was published with."""


class ConversionError(EdgeExpertsError):
    """The converter refused a network, or died on it; the message names the router or expert."""

    exit_code = 3


class MissingExtraError(EdgeExpertsError):
    """A part of the toolkit is not installed; the message is the command that installs it."""

    exit_code = 4

    def __init__(self, what: str, extra: str):
        super().__init__(
            f"{what} is not installed (edge-experts[{extra}]): {installation.command(extra)}"
        )


class MissingPartError(EdgeExpertsError):
    """A task needs a package that is not installed here."""

    exit_code = 4


class DevicePartError(EdgeExpertsError):
    """A command needs a part of the toolkit that `deploy` does not send to boards."""

    exit_code = 4

    def __init__(self, module: str):
        super().__init__(
            f"this installation has no {module}: it is the device part, as `edge-experts deploy` "
            "sends it to a board; run this command on the workstation, or install "
            "edge-experts[train,cli] here from a checkout or a whole wheel"
        )


class InterpreterError(EdgeExpertsError):
    """A TFLite interpreter is installed, and does not work here."""

    exit_code = 4


class ThresholdError(EdgeExpertsError):
    """A threshold that the user stated was missed."""

    exit_code = 5


class MachineError(EdgeExpertsError):
    """The machine failed us: network, disk, permission."""

    exit_code = 6


class NetworkError(MachineError):
    """A download failed."""


class UnreachableError(MachineError):
    """A board cannot be reached over ssh, or the connection to it broke."""


class BoardError(MachineError):
    """A board lacks something that the device part needs; the message names it."""


class RemoteError(EdgeExpertsError):
    """A command failed on a board; it ends as it did there."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


class MemoryBudgetError(UsageError):
    """The memory budget is too small for what must be in memory at once."""
