"""Exceptions for all user-visible failures, one class per cause, with the exit code of each."""

from __future__ import annotations

from . import installation


class EdgeExpertsError(Exception):
    """Base of all errors; the message states the cause, and the remedy where there is one."""

    exit_code = 1


class UsageError(EdgeExpertsError):
    """An option, a path or an argument is invalid."""

    exit_code = 2


class DataError(UsageError):
    """The data set cannot be used: no such column, empty, one class only ..."""


class ContextError(UsageError):
    """A prompt has more tokens than a language model's context takes."""


class RunFolderError(UsageError):
    """The folder is not a finished training run."""


class CheckpointError(UsageError):
    """The folder is not a checkpoint that can be converted; the message says what is missing."""


class UnsuitableError(UsageError):
    """A method does not support this network."""


class BundleError(EdgeExpertsError):
    """The bundle or one of its models must not be used."""

    exit_code = 3


class ManifestError(BundleError):
    """The manifest is missing, is not JSON, or has an invalid field."""


class FormatVersionError(BundleError):
    """The bundle has a format version that this version does not support."""


class DigestError(BundleError):
    """A file is missing, or its length or SHA-256 differs from the manifest."""


class ModelError(BundleError):
    """The interpreter rejects a model, or a model does not match its manifest."""


class SignatureError(BundleError):
    """The bundle has no valid signature of a trusted key."""


class OldVersionError(BundleError):
    """The bundle's version is not above the newest version ever installed there."""


class GoldenError(BundleError):
    """The golden examples have other answers on this machine than when published."""


class ConversionError(EdgeExpertsError):
    """The converter rejected a network, or crashed; the message names the router or expert."""

    exit_code = 3


class MissingExtraError(EdgeExpertsError):
    """An optional part is not installed; the message has the command that installs it."""

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
    """A TFLite interpreter is installed, but does not work here."""

    exit_code = 4


class ThresholdError(EdgeExpertsError):
    """A result missed a threshold that the user set."""

    exit_code = 5


class MachineError(EdgeExpertsError):
    """The network, the disk or a permission failed."""

    exit_code = 6


class NetworkError(MachineError):
    """A download failed."""


class UnreachableError(MachineError):
    """A board cannot be reached over ssh, or the connection to it broke."""


class BoardError(MachineError):
    """A board lacks something that the device part needs; the message names it."""


class RemoteError(EdgeExpertsError):
    """A command failed on a board; its exit code there is the exit code here."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


class MemoryBudgetError(UsageError):
    """The memory budget is smaller than the least that must be resident at once."""
