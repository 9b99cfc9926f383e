"""A run folder to a bundle: convert every network, prove it on the interpreter, publish it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts import run_folder
from edge_experts.compression import Compression
from edge_experts.datasets import Dataset
from edge_experts.errors import ModelError
from edge_experts.features import encode_all
from edge_experts.format.atomic import staged
from edge_experts.format.manifest import Manifest

from .auto import Search, automatic
from .bundle import base as bases
from .bundle.assembly import Bundling
from .network_files import File
from .options import budget_asked, check, compressions_asked, run_asked, target_asked
from .process.cache import Cache
from .process.error_messages import alternative
from .recipes import RECIPE_NAMES
from .sources import Sources
from .verify import confidence, parity

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
            by chance. By default 3 % of the labels that Keras is sure of may differ too, where
            nothing was compressed or chosen.
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
    check(quantization, layout, io, second_share, abstain_below)
    place = None if target is None else target_asked(target, quantization)
    compressions = compressions_asked(compress, quantization, layout, size_budget_compressed)
    budget = budget_asked(
        quantization, layout, size_budget, size_budget_compressed, max_accuracy_drop
    )
    description = run_asked(run_folder.read_run(run), layout, top_k, second_share)
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
                if not compressions and max_accuracy_drop is None:
                    proof.parity.refuse_disagreement()
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


def _takes_all(content: bytes, name: str) -> None:
    """Where no target is stated."""
