"""A run folder to a bundle: convert every network, prove it on the interpreter, publish it."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_experts import run_folder
from edge_experts.compression import Compression
from edge_experts.datasets import Dataset
from edge_experts.errors import ModelError
from edge_experts.format.atomic import staged
from edge_experts.format.manifest import Manifest

from .auto import Search, automatic
from .bundle import base as bases
from .bundle.assembly import Bundling
from .network_files import File, Workload
from .options import ConvertOptions
from .process.cache import Cache
from .process.error_messages import alternative
from .recipes import RECIPE_NAMES
from .sources import Sources
from .tasks import ConversionTask, open_conversion
from .verify.confidence import Unsure
from .verify.proof import Proof


@dataclass(frozen=True)
class Conversion:
    """A finished bundle, how it compares with Keras, and its scores.

    Attributes:
        test_accuracy: on the test examples; nan where the task has no accuracy.
        calibration_error: on the test examples; nan where scores are not probabilities.
        bytes: of all files.
        packed_bytes: of the archive that `pack` makes of them.
        search: where the recipes were chosen.
        scores: the task's scores as deployed, on the test examples.
        words: lines that tell a person of it.
        figures: the same as JSON; only what this task has.
        next_command: arguments of `run BUNDLE`, for a hint; empty where only an example will do.
    """

    bundle: Path
    manifest: Manifest
    parity: Any  # `verify.proof.Parity`, with the figures of its task
    test_accuracy: float
    test_examples: int
    calibration_error: float
    unsure: Unsure
    bytes: int
    packed_bytes: int
    search: Search | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    next_command: str = ""


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
    beams: int | None = None,
) -> Conversion:
    """Convert a finished training to a bundle, and prove it on the interpreter of this machine.

    Networks are converted in child processes; then another one, which never imports TensorFlow,
    opens the result with the device runtime and answers the validation and test examples. Only
    then does the folder `out` appear, whole. The run's task says which options have a meaning:
    `converters.tasks`.

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
            nothing was compressed or chosen. Of regression: points (hundredths) of R2; of
            translation: chrF, without a default.
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
        beams: of translation: beams of the search, 1 (greedy) by default.

    Raises:
        UsageError: an option or a path cannot be used.
        UnsuitableError: the target lacks an operator of a converted file.
        MissingExtraError: what the target needs for measuring is not installed.
        ConversionError: the converter refused a network or died of it.
        ModelError: the interpreter refused a converted file.
        ThresholdError: the accuracy dropped too far; nothing was written.
    """
    options = ConvertOptions(
        quantization=quantization,
        io=io,
        layout=layout,
        top_k=top_k,
        second_share=second_share,
        abstain_below=abstain_below,
        max_accuracy_drop=max_accuracy_drop,
        size_budget=size_budget,
        size_budget_compressed=size_budget_compressed,
        target=target,
        base=base,
        bundle_version=bundle_version,
        compress=compress,
        data=data,
        processes=processes,
        cache=cache,
        force=force,
        beams=beams,
    )
    return convert_with(Path(run), Path(out), options)


def opened(run: Path) -> ConversionTask:
    """The task of a run folder.

    Raises:
        RunFolderError: it is not a finished run.
        MissingPartError: no installed package has its task.
    """
    described = run_folder.read_run(run)
    return open_conversion(described, run_folder.read_features(run, described))


def convert_with(run: Path, out: Path, options: ConvertOptions) -> Conversion:
    """`convert`, with its options as one object."""
    described = run_folder.read_run(run)
    features = run_folder.read_features(run, described)
    options.refuse_meaningless(open_conversion(described, features))
    task = open_conversion(options.applied(described), features)
    task.require()
    update = None
    if options.base is not None:
        quantization, layout = options.quantization, options.layout
        update = bases.read(options.base, task.run.experts, quantization, layout)
    examples = task.examples(run_folder.read_examples(run, features))
    with staged(out, force=options.force) as folder, tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        work = Workload(
            options.order(task),
            examples.calibration,
            examples.validation,
            task.run.experts + 1,
            examples.files,
            {} if update is None else update.files(),
        )
        kept = Cache.of_user() if options.cache else Cache(None)
        sources = Sources(job, run, work, data=options.data, processes=options.processes, kept=kept)
        with sources:
            bundling = Bundling(
                task,
                features,
                examples,
                sources.plain.prepare(),
                sources.plain.seen,
                options,
                update,
                run_folder.read_trained_rows(run),
            )
            if options.is_auto:
                recipes = RECIPE_NAMES if options.place is None else options.place.recipes
                made = sources.try_compressed(options.compressions)
                manifest, proof, search = automatic(made, recipes, bundling, folder, job)
            else:
                manifest, proof = _as_stated(sources, bundling, folder, job)
                search = None
            taken = [bundling.size(folder, manifest, compressed=one) for one in (False, True)]
    return Conversion(
        out,
        manifest,
        proof.parity,
        proof.test_scores.get("accuracy", math.nan),
        proof.test_examples,
        math.nan if proof.calibration_error is None else proof.calibration_error,
        proof.unsure,
        bytes=taken[0],
        packed_bytes=taken[1],
        search=search,
        scores=proof.test_scores,
        words=tuple(task.words(manifest, proof)),
        figures=task.to_json(manifest, proof),
        next_command=task.next_command(manifest),
    )


def _as_stated(
    sources: Sources, bundling: Bundling, folder: Path, job: Path
) -> tuple[Manifest, Proof]:
    """All networks in the one recipe of the options."""
    options = bundling.options
    compressions, quantization = options.compressions, options.quantization
    made = sources.compressed(*compressions) if compressions else sources.plain
    files = [File(path, quantization, options.io) for path in made.paths]
    made.make(files)
    made.refuse_failed(files)
    for file in files:
        bundling.check(made.place(file).read_bytes(), file.network)
        bundling.add(folder, file.path, made.place(file))
    how: dict[str, Any] = {"networks": made.digests}
    if compressions:
        how["compression"] = compressions[0].to_json()
    try:
        manifest, proof = bundling.finish(folder, job, how)
    except ModelError as error:
        layers = frozenset[str]().union(*map(made.layers, made.paths))
        other = alternative(quantization, str(error), layers)
        raise ModelError(f"as {quantization}, {error}; {other}") from None
    if not compressions and options.max_accuracy_drop is None:
        proof.parity.refuse_disagreement()
    return manifest, proof
