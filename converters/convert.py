"""A run folder to a bundle: convert every network, prove it on the interpreter, publish it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_experts import run_folder
from edge_experts.bundle import Manifest
from edge_experts.compression import FOR_ARCHIVES, Compression, unique
from edge_experts.datasets import Dataset
from edge_experts.errors import ModelError, UsageError
from edge_experts.features import encode_all
from edge_experts.folders import staged

from . import base as bases
from . import confidence, parity, targets
from .bundling import Bundling
from .cache import Cache
from .choosing import Budget, Search, automatic
from .making import File
from .recipes import INTEGER, IO, LAYOUTS, QUANTIZATIONS, RECIPE_NAMES
from .refusals import alternative
from .sources import Sources
from .targets.microcontroller import MICROCONTROLLER, require

_CALIBRATION = 2000  # training examples to draw representative inputs from


@dataclass(frozen=True)
class Conversion:
    """What came of it: the bundle, how it compares with Keras, and how well it does."""

    bundle: Path
    manifest: Manifest
    parity: parity.Parity
    test_accuracy: float
    test_examples: int
    calibration_error: float
    unsure: confidence.Unsure
    bytes: int  # of all files
    packed_bytes: int  # of the archive that `pack` makes of them
    search: Search | None = None  # where the recipes were chosen


def convert(
    run: str | Path,
    out: str | Path,
    *,
    quantization: str = "int8",
    io: str = "float",
    layout: str = "split",
    top_k: int | None = None,
    second_share: float | None = None,
    abstain_below: float | None = None,
    max_accuracy_drop: float | None = None,
    size_budget: int | None = None,
    size_budget_compressed: int | None = None,
    target: str | None = None,
    base: str | Path | None = None,
    bundle_version: int | None = None,
    compress: str | Compression | Sequence[str | Compression] = (),
    data: Dataset | None = None,
    processes: int | None = None,
    cache: bool = True,
    force: bool = False,
) -> Conversion:
    """Convert a finished training to a bundle, and prove it on the interpreter of this machine.

    Networks are converted in child processes; then another one, which never imports TensorFlow,
    opens the result with the device runtime and answers the validation and test examples. Only
    then does the folder `out` appear, whole.

    Args:
        run: the run folder that training wrote.
        out: the bundle folder to write; `force` replaces one that exists.
        quantization: one of `QUANTIZATIONS`.
        io: "float"; or "integer", for files that take and give the integers they compute in.
        layout: "split", a file for the router and one for each expert; or, to measure that
            against, all of them in one file: "gated", which computes every expert, and
            "nested-if", which branches to one with TFLite's IF.
        top_k: how many experts answer, instead of what the training says.
        second_share: ask the router's second choice too, where the router is unsure of its first:
            for about this share of inputs, by the validation examples. A share is what it costs;
            the router's own probability, which the manifest keeps as `second_below`, says little.
        abstain_below: abstain where the score, a calibrated probability, is under this.
        max_accuracy_drop: points of validation accuracy that compression and conversion may cost
            together; 2 by default, and then only where so few examples could not have lost them
            by chance.
        size_budget: with quantization "auto": bytes that the bundle may take on disk. A recipe is
            chosen for each network, by measuring each, so that the least is lost within them;
            without a budget, the smallest choice that loses at most `max_accuracy_drop`, 0.5 by
            default.
        size_budget_compressed: likewise, bytes of its archive.
        target: the name of one of `TARGETS`, where the bundle is to run: every file's operators are
            compared with those it has, and files run on its interpreter where that is installed.
        base: the bundle of the run that this one extends: files of networks that are still the
            same are copied from it, and the manifest says what changed.
        bundle_version: of what you publish; one above the base's by default, or 1.
        compress: makes the experts smaller first, by fine-tuning; with quantization "auto" any
            number of ways to choose from for each expert. None by default, but with
            `size_budget_compressed` `FOR_ARCHIVES`: zeros and clusters save bytes there only.
        data: what the run was trained on, for that fine-tuning; by default the training examples
            that the run folder keeps, up to 2,000.
        processes: convert in at most so many; as many as there are cores by default.
        cache: take what was converted before from the user's cache, and keep it there.

    Raises:
        UsageError: an option or a path cannot be used.
        UnsuitableError: the target lacks an operator of a converted file.
        MissingExtraError: what the target needs for measuring is not installed.
        ConversionError: the converter refused a network or died of it.
        ModelError: the interpreter refused a converted file.
        ThresholdError: the accuracy dropped too far; nothing was written.
    """
    run, out = Path(run), Path(out)
    _check_names(quantization=(quantization, QUANTIZATIONS), layout=(layout, LAYOUTS), io=(io, IO))
    if io == "integer" and quantization not in INTEGER:
        raise UsageError(f"io 'integer' holds for int8 and int16x8, not for {quantization}")
    for name, value in (("second_share", second_share), ("abstain_below", abstain_below)):
        if value is not None and not 0 <= value <= 1:
            raise UsageError(f"{name} must be from 0 to 1, got {value}")
    place = None if target is None else _target(target, quantization)
    compressions = _compressions(compress, quantization, layout, size_budget_compressed)
    budget = _budget(quantization, layout, size_budget, size_budget_compressed, max_accuracy_drop)
    description = run_folder.read_run(run)
    if top_k is not None:
        description = _asking(description, top_k)
    if layout != "split":
        description = _in_one_file(description, layout)
    if second_share is not None:
        _refuse_second(description)
    update = None if base is None else bases.read(base, description.experts, quantization, layout)
    version = bundle_version or 1 if update is None else update.next_version(bundle_version)
    features = run_folder.read_features(run, description)
    examples = run_folder.read_examples(run, features)
    calibration = encode_all(features, examples["train"].inputs[:_CALIBRATION])
    validation = encode_all(features, examples["validation"].inputs)
    order = {"layout": layout, "top_k": description.top_k, "second": second_share is not None}
    kept = Cache.of_user() if cache else Cache(None)
    search = None
    with staged(out, force=force) as folder, tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        sources = Sources(
            job,
            run,
            order,
            calibration,
            validation,
            networks=description.experts + 1,
            base={} if update is None else update.files(),
            data=data,
            processes=processes,
            kept=kept,
        )
        with sources:
            bundling = Bundling(
                description,
                features,
                examples,
                sources.plain.prepare(),
                sources.plain.seen,
                version=version,
                second_share=second_share,
                abstain_below=abstain_below,
                made={"quantization": quantization, "io": io, "layout": layout},
                update=update,
                target=place,
            )
            if quantization == "auto":
                manifest, proof, search = automatic(
                    sources.try_compressed(compressions),
                    RECIPE_NAMES if place is None else place.recipes,
                    budget,
                    bundling,
                    folder,
                    job,
                    validation,
                    _takes_all if place is None else place.check,
                )
            else:
                made = sources.compressed(*compressions) if compressions else sources.plain
                files = [File(path, quantization, io) for path in made.paths]
                made.make(files)
                made.refuse_failed(files)
                for file in files:
                    if place is not None:
                        place.check(made.place(file).read_bytes(), file.network)
                    bundling.add(folder, file.path, made.place(file))
                how: dict[str, Any] = {"networks": made.digests}
                if compressions:
                    how["compression"] = compressions[0].to_json()
                try:
                    manifest, proof = bundling.finish(folder, job, max_accuracy_drop, how)
                except ModelError as error:
                    layers = frozenset[str]().union(*map(made.layers, made.paths))
                    other = alternative(quantization, str(error), layers)
                    raise ModelError(f"as {quantization}, {error}; {other}") from None
            taken = [bundling.size(folder, manifest, compressed=one) for one in (False, True)]
    return Conversion(
        out,
        manifest,
        proof.parity,
        proof.test_accuracy,
        proof.test_examples,
        proof.calibration_error,
        proof.unsure,
        bytes=taken[0],
        packed_bytes=taken[1],
        search=search,
    )


def _target(name: str, quantization: str) -> targets.Target:
    """The target of that name.

    Raises:
        UsageError: there is none.
        UnsuitableError: it takes no files made so.
        MissingExtraError: what it needs for measuring is not installed.
    """
    target = targets.named(name)
    target.refuse_recipe(quantization)
    if target is MICROCONTROLLER:
        require()
    return target


def _takes_all(content: bytes, name: str) -> None:
    """Where no target is stated."""


def _check_names(**chosen: tuple[str, tuple[str, ...]]) -> None:
    for option, (value, allowed) in chosen.items():
        if value not in allowed:
            raise UsageError(f"{option} must be one of {allowed}, got {value!r}")


def _compressions(
    asked: str | Compression | Sequence[str | Compression],
    quantization: str,
    layout: str,
    archive: int | None,
) -> tuple[Compression, ...]:
    """The ways to make experts smaller, or to choose from.

    Raises:
        UsageError: more than one and nothing that chooses, or none of a network of its own.
    """
    several = [asked] if isinstance(asked, str | Compression) else list(asked)
    chosen = [Compression(one) if isinstance(one, str) else one for one in several]
    if len(chosen) > 1 and quantization != "auto":
        raise UsageError(
            "compress takes one way, whose steps are joined by +; quantization 'auto' chooses "
            "between several"
        )
    if chosen and layout != "split":
        raise UsageError(f"compress holds for files of their own, not for layout {layout!r}")
    if not chosen and quantization == "auto" and archive is not None:
        return FOR_ARCHIVES
    return unique(chosen)


def _budget(
    quantization: str,
    layout: str,
    size: int | None,
    compressed: int | None,
    max_drop: float | None,
) -> Budget:
    """What may be chosen from.

    Raises:
        UsageError: there is nothing to choose, or two sizes.
    """
    if (size is not None or compressed is not None) and quantization != "auto":
        raise UsageError(f"a size budget needs quantization 'auto', got {quantization!r}")
    if quantization == "auto" and layout != "split":
        raise UsageError(f"quantization 'auto' chooses for each file; layout {layout!r} has one")
    if size is not None and compressed is not None:
        raise UsageError("state size_budget or size_budget_compressed, not both")
    return Budget(size if compressed is None else compressed, compressed is not None, max_drop)


def _asking(description: run_folder.Run, top_k: int) -> run_folder.Run:
    """The run with so many experts asked."""
    if description.combine != "top":
        raise UsageError("top_k holds for models with a router, this one sums all its experts")
    if not 1 <= top_k <= description.experts:
        raise UsageError(f"top_k must be from 1 to {description.experts} (experts), got {top_k}")
    return replace(description, top_k=top_k)


def _refuse_second(description: run_folder.Run) -> None:
    """Raises UsageError where no second expert can be asked."""
    if description.experts == 1 or description.combine != "top" or description.top_k != 1:
        raise UsageError(
            "second_share holds for models whose router picks one expert of several, each in a "
            "file of its own; where more are always asked, pass top_k 1 with it"
        )


def _in_one_file(description: run_folder.Run, layout: str) -> run_folder.Run:
    """The run as one of a network without a router."""
    if description.experts == 1 or description.combine != "top" or description.top_k != 1:
        raise UsageError(
            f"layout {layout!r} holds for models whose router picks one expert of several"
        )
    macs = dict(description.metrics.get("macs", {}))
    if macs and layout == "gated":
        macs["active"] = macs["router"] + description.experts * macs["expert"]
    return replace(
        description,
        name=f"{description.name}-{layout}",
        experts=1,
        metrics={**description.metrics, "macs": macs, "expert_usage": []},
    )
