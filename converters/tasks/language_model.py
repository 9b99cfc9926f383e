"""Conversion of language models: losses of the same texts are compared with Keras's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edge_experts.datasets import Split
from edge_experts.errors import UnsuitableError, UsageError
from edge_experts.features import BytePairFeatures, Features
from edge_experts.features.byte_pairs import END
from edge_experts.format.manifest import Manifest, TaskSpec
from edge_experts.run_folder import Run
from edge_experts.runtime import interpreter
from edge_experts.runtime.tasks.language_model.conversion_figures import IN_FILE, WINDOWS
from edge_experts.runtime.tasks.language_model.network_settings import EMBEDDING, HEAD, dense_paths

from ..language_model import blocks
from ..language_model.prompts import clearest
from ..language_model.prompts import prompts as cut_prompts
from ..recipes import INT4
from ..targets import Target
from ..targets.microcontroller import MICROCONTROLLER, MicroResult
from ..verify.confidence import Unsure
from ..verify.keras_reference import KerasReference
from ..verify.language_parity import LanguageParity, refuse_wrong_files
from ..verify.proof import Deployed, Proof
from .conversion_task import COMMON, GoldenRows, RunExamples

LITERT, RUNTIME = "ai_edge_litert", "tflite_runtime"
_COMPARED = 16, 128  # validation windows that Keras judges too, and their tokens
_TESTED = 48  # test documents
_PROMPTS, _GOLDEN = 24, 8  # candidates of golden examples, and their number


class LanguageConversion:
    """Files for each layer's attention, router and experts; see `ConversionTask`."""

    name, primary = "language-model", "perplexity"
    networks = "edge_experts.converters.language_model.language_networks:LanguageNetworks"
    options = COMMON | {"base"}
    recipes = ("float32", "int8", INT4)

    def __init__(self, run: Run, features: Features):
        assert isinstance(features, BytePairFeatures)
        assert run.task_spec is not None
        self._size, self._features = run.task_spec.config, features
        self.run = replace(run, labels=("text",))
        layers = int(self._size["layers"])
        self.layers = (run.experts // layers,) * layers
        self.dense = dense_paths(layers)
        self._quantization = "int8"
        self._packages: tuple[str, ...] = ()  # to prove the bundle on
        self._named: tuple[str, ...] = ()  # that compute its files correctly
        self._test = np.zeros((0, 2), np.int32)  # windows of test documents
        self._written: list[np.ndarray] = []  # continuations, by each interpreter

    def require(self) -> None:
        return

    def refuse_target(self, target: Target) -> None:
        if target is MICROCONTROLLER:
            raise UnsuitableError(
                "--target microcontroller: a language model has its attention in numpy, and needs "
                "Linux; choose another target"
            )

    def settings(self, options: Any) -> Mapping[str, Any]:
        """Choose the kind of quantization: a scale for each channel is for LiteRT alone."""
        self._quantization = options.quantization
        if self._quantization == INT4:
            blocks.require()
            self._refuse_odd_blocks()
        wanted = interpreter.package() if options.place is None else options.place.package
        if self._quantization == INT4:
            wanted = LITERT
        per_channel = wanted == LITERT and self._quantization != "float32"
        fit = (LITERT,) if per_channel else (wanted, LITERT, RUNTIME)
        installed = [one for one in dict.fromkeys(fit) if interpreter.installed(one)]
        self._named = tuple(dict.fromkeys([*installed, wanted]))
        self._packages = tuple(installed)
        return {"per_channel": per_channel}

    def _refuse_odd_blocks(self) -> None:
        odd = [
            f"{name} {self._size[name]}"
            for name in ("units", "inner")
            if self._size[name] % blocks.BLOCK
        ]
        if odd:
            raise UsageError(
                f"--quantization int4 needs sizes that are multiples of {blocks.BLOCK}, and this "
                f"model has {' and '.join(odd)}; choose int8"
            )

    def interpreters(self, chosen: str | None) -> Sequence[str | None]:
        return self._packages or (chosen,)

    def examples(self, splits: Mapping[str, Split]) -> RunExamples:
        prompts = cut_prompts(self._features, splits["validation"].inputs, _PROMPTS)
        count, length = _COMPARED
        compared = self._windows(splits["validation"].inputs, count, length)
        self._test = self._windows(splits["test"].inputs, _TESTED, int(self._size["context"]))
        none = np.zeros(0, int)
        return RunExamples(
            {"windows": compared[:1]},
            {"windows": compared},
            {
                "validation": Split(prompts, np.zeros(len(prompts), int)),
                "test": Split([], none),
            },
        )

    def _windows(self, texts: Sequence[Any] | np.ndarray, count: int, length: int) -> np.ndarray:
        """Return the first tokens of texts, padded with -1, (texts, length + 1)."""
        length = min(length, int(self._size["context"]))
        rows = np.full((min(count, len(texts)), length + 1), -1, np.int32)
        for row, text in zip(rows, texts, strict=False):
            tokens = [END, *self._features.tokens(str(text)), END][: length + 1]
            row[: len(tokens)] = tokens
        return rows

    def manifest_parts(self, options: Any, reference: KerasReference) -> Mapping[str, Any]:
        size = self._size
        names = ("units", "heads", "key_heads", "context", "pieces", "gate")
        config = {
            **{name: size[name] for name in names},
            "width": size["units"] // size["heads"],
            "rotary_base": float(reference.arrays["rotary_base"]),
            "embedding": "float32" if self._quantization == "float32" else "int8",
            "biases": reference.arrays["biases"].tolist(),
            "interpreters": list(self._named),
        }
        return {"task_spec": TaskSpec(self.name, config)}

    def measured(self, reference: KerasReference) -> Mapping[str, np.ndarray]:
        """Return windows, and rows for each file."""
        arrays = reference.arrays
        return {
            f"{WINDOWS}compared": arrays["windows"],
            f"{WINDOWS}test": self._test,
            **{name: rows for name, rows in arrays.items() if name.startswith(IN_FILE)},
        }

    def judge(
        self,
        reference: KerasReference,
        deployed: Deployed,
        manifest: Manifest,
        splits: Mapping[str, Split],
    ) -> Proof:
        found, arrays = deployed.measured, reference.arrays
        self._written.append(deployed.arrays["continuations"])
        prefix = "out:"
        wanted = {
            name.removeprefix(prefix): rows
            for name, rows in arrays.items()
            if name.startswith(prefix)
        }
        made = {path: found[IN_FILE + path] for path in wanted if path != EMBEDDING}
        on = deployed.verified_on["interpreter"]
        file_off = refuse_wrong_files(wanted, made, self._quantization, on)
        windows, last = arrays["windows"], found["last:compared"]
        tokens = int((windows[:, 1:] >= 0).sum())
        parity = LanguageParity(
            examples=len(windows),
            loss=round(float(found["losses:compared"].sum()) / tokens, 6),
            keras_loss=round(float(arrays["losses"].sum()) / tokens, 6),
            logits_off=_significant(
                np.abs(last - arrays["last"]).max() / np.abs(arrays["last"]).max()
            ),
            same_token=round(float((last.argmax(1) == arrays["last"].argmax(1)).mean()), 4),
            file_off=_significant(file_off),
        )
        return Proof(
            parity=parity,
            unsure=Unsure(None, None, None),
            temperature=1.0,
            scores=deployed.arrays["scores"],
            arrays=deployed.arrays,
            test_scores=self._test_scores(found["losses:test"]),
            test_examples=len(self._test),
        )

    def _test_scores(self, losses: np.ndarray) -> dict[str, float]:
        targets = self._test[:, 1:]
        tokens, nats = int((targets >= 0).sum()), float(losses.sum())
        size = sum(len(self._features.bytes_of(row[row >= 0].tolist())) for row in targets)
        return {
            "loss": round(nats / tokens, 6),
            "perplexity": round(math.exp(nats / tokens), 4),
            "bits_per_byte": round(nats / math.log(2) / size, 6),
        }

    def golden(self, reference: KerasReference, proof: Proof, manifest: Manifest) -> GoldenRows:
        """Choose the prompts whose continuations are the longest without a near tie.

        A continuation also ends where interpreters write different tokens.
        """
        agreed = common_tokens(self._written)
        certain = np.where(agreed[:, 0] < 0, 0, proof.arrays["certain"])
        rows = clearest(certain, _GOLDEN)
        return GoldenRows(rows, {"continuations": agreed[rows]})

    def provenance(self, proof: Proof) -> dict[str, Any]:
        return {
            "parity": proof.parity.to_json(),
            "test_scores": dict(proof.test_scores),
            "test_examples": proof.test_examples,
            "parameters": self.run.metrics.get("parameters"),
            "macs": self.run.metrics.get("macs"),
        }

    def card(self, manifest: Manifest, proof: Proof) -> str:
        parity, on, scores = _own(proof), manifest.verified_on, proof.test_scores
        size = sum(one.bytes for one in manifest.models)
        return f"""# {manifest.name}

Language model: {len(manifest.experts)} experts {manifest.asking}.

| | |
|---|---|
| data | {self.run.origin} |
| perplexity as deployed | {scores["perplexity"]:.2f}, {scores["bits_per_byte"]:.3f} bits per \
byte, on the first {self._size["context"]} tokens of {proof.test_examples} test documents |
| loss as deployed, and of the Keras model | {parity.loss:.4f} and {parity.keras_loss:.4f} nats a \
token, on {parity.examples} validation texts |
| context | {self._size["context"]} tokens |
| vocabulary | {self._size["pieces"]:,} tokens |
| quantization | {manifest.provenance["quantization"]} |
| bytes of all models | {size:,} |
| largest expert | {max(one.bytes for one in manifest.experts):,} bytes |
| verified on | {on.get("interpreter")} {on.get("version")}, {on.get("machine")} |

## Limits
- It continues texts like those above. What it writes reads like them, and may be wrong.
- It sees at most {self._size["context"]} tokens of a text.
"""

    def on_microcontroller(self, files: Mapping[str, MicroResult]) -> dict[str, Any]:
        """Return no figures: `refuse_target` refuses this target."""
        return {}

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        return {**proof.test_scores, "parity": proof.parity.to_json()}

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        parity, scores = _own(proof), proof.test_scores
        head = next(one.bytes for one in manifest.dense if one.path == HEAD)
        return [
            f"perplexity {scores['perplexity']:.2f} as deployed ({scores['bits_per_byte']:.3f} "
            f"bits per byte) on the beginnings of {proof.test_examples} test documents",
            f"loss {parity.loss:.4f} as deployed, {parity.keras_loss:.4f} by Keras, on "
            f"{parity.examples} validation texts",
            f"largest expert {max(one.bytes for one in manifest.experts):,} bytes, head {head:,}",
        ]

    def next_command(self, manifest: Manifest) -> str:
        return "'your text'"


def common_tokens(written: Sequence[np.ndarray]) -> np.ndarray:
    """Return the tokens that continuations begin with by every interpreter.

    Args:
        written: by each interpreter, (examples, tokens), padded with -1.
    """
    same = np.all([one == written[-1] for one in written], axis=0)
    found: np.ndarray = np.where(np.logical_and.accumulate(same, axis=1), written[-1], -1)
    return found


def _own(proof: Proof) -> LanguageParity:
    assert isinstance(proof.parity, LanguageParity)
    return proof.parity


def _significant(value: float) -> float:
    return float(f"{float(value):.3g}")
