"""Conversion of a run folder to a bundle: converts every network, proves it, publishes it."""

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
from edge_experts.format.manifest import MODEL_SUFFIX, Manifest

from .auto import Search, automatic
from .bundle import base_bundle as bases
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
    """Finished bundle, its comparison with Keras, and its scores.

    Attributes:
        test_accuracy: on the test examples; nan for tasks without an accuracy.
        calibration_error: on the test examples; nan if scores are not probabilities.
        bytes: of all files.
        packed_bytes: of the archive that `pack` makes of them; 0 if not measured.
        search: the result of `quantization` "auto".
        scores: the task's scores as deployed, on the test examples.
        words: lines of text for the user.
        figures: the same as JSON; only entries of this task.
        next_command: arguments of `run BUNDLE`, for a hint; empty if an example is needed.
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

    Networks are converted in child processes. Then another process, which never imports
    TensorFlow, opens the result with the device runtime and answers the validation and test
    examples. Only then does the folder `out` appear, complete. The supported options depend on the
    run's task: `converters.tasks`.

    Args:
        run: the run folder that training wrote.
        out: the bundle folder to write; `force` replaces one that exists.
        quantization: one of `QUANTIZATIONS`.
        io: "float"; or "integer", for files whose inputs and outputs are integers.
        layout: "split", a file for the router and one for each expert; or, as a baseline, all of
            them in one file: "gated", which computes every expert, and "nested-if", which branches
            to one with TFLite's IF.
        top_k: the number of experts that answer, instead of the training's.
        second_share: run the router's second choice too if the router is uncertain of its first:
            for about this share of inputs, by the validation examples. The share determines the
            cost; the resulting threshold of the router's probability is `second_below` in the
            manifest.
        abstain_below: confidence threshold: abstain if the score, a calibrated probability, is
            below it.
        max_accuracy_drop: points of validation accuracy that compression and conversion may cost
            together; 2 by default, and then only if the drop is significant for the number of
            examples. By default also 3 % of the labels that Keras is confident of may differ, if
            no network was compressed or chosen. For several labels: points (hundredths) of
            micro-F1; for regression: of R2; for translation: chrF, without a default.
        size_budget: with quantization "auto": bytes that the bundle may take on disk. A recipe is
            chosen for each network by measurements, so that the loss is smallest within the budget;
            without a budget, the smallest choice that loses at most `max_accuracy_drop`, 0.5 by
            default.
        size_budget_compressed: likewise, bytes of its archive.
        target: the name of one of `TARGETS`, on which the bundle is to run: every file's operators
            are compared with the target's, and files run on its interpreter if that is installed.
        base: the bundle of the run that this one extends: files of unchanged networks are copied
            from it, and the manifest lists the changes.
        bundle_version: of the published bundle; by default one above the base's, or 1.
        compress: compresses the experts first, by fine-tuning; with quantization "auto" any number
            of methods to choose from for each expert. None by default, but `FOR_ARCHIVES` with
            `size_budget_compressed`: zeros and clusters save bytes only there.
        data: the run's training data, for that fine-tuning; by default the up to 2,000 training
            examples in the run folder.
        processes: the most processes that convert at once; by default the number of cores.
        cache: use and update the user's cache of converted files.
        beams: for translation: beams of the search, 1 (greedy) by default.

    Raises:
        UsageError: an option or a path is invalid.
        UnsuitableError: the target lacks an operator of a converted file.
        MissingExtraError: a package that the target needs for measuring is not installed.
        ConversionError: the converter refused a network or crashed on it.
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
    """Open the conversion task of a run folder.

    Raises:
        RunFolderError: it is not a finished run.
        MissingPartError: no installed package provides its task.
    """
    described = run_folder.read_run(run)
    return open_conversion(described, run_folder.read_features(run, described))


def convert_with(run: Path, out: Path, options: ConvertOptions) -> Conversion:
    """Run `convert` with its options as one object."""
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
    """Convert all networks with the one recipe of the options."""
    options = bundling.options
    compressions, quantization = options.compressions, options.quantization
    made = sources.compressed(*compressions) if compressions else sources.plain
    files = [File(path, quantization, options.io) for path in made.paths]
    made.make(files)
    made.refuse_failed(files)
    for file in files:
        if file.path.endswith(MODEL_SUFFIX):
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
