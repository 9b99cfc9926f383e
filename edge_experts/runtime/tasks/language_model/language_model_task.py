"""Task of language models: an example is a prompt, and its answer a continuation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ....errors import BundleError, ManifestError, ModelError, UsageError
from ....features import Features, Vocabulary
from ....format.limits import LIMITS
from ....format.manifest import TRUNK, Manifest
from ...access import Access
from ...answer import Answer, Predictions
from ...fit import Shapes, must_fit
from ...interpreter import CHOICE, Delegate, Expert, installed, package, prefer
from ...memory.least_frequent import LeastFrequent
from ...memory.policy import Policy
from ...rows_model import RowsModel
from ..base import Column, DeployedScores, GoldenAnswer, Tensor, Traffic
from ..routed_once import known_scores
from .continuation import MAX_TOKENS, Continuation, Continued, Prompt
from .conversion_figures import measured
from .embedding_rows import EmbeddingRows
from .kv_cache import CachePool, KeyValueCache, Rotary
from .layered_network import MIXED, ROWS, STREAM, LayeredNetwork
from .memory_needs import STARTED, buffer_bytes, cache_row_bytes
from .network_settings import EMBEDDING, HEAD, attention_in_path, read_settings

if TYPE_CHECKING:
    from ...routing_options import RoutingOptions

# Tokens that memory is reserved for by default: published models see more than a board can keep.
_MOST_RESERVED = 4096
# Nats by which a golden token is more probable than any other. Quantized files compute slightly
# different logits on other processors; docs/language-models.md has the margins at which x86-64 and
# ARM wrote different tokens.
_CLEAR = 0.3
_SCORES = {
    "loss": (0.0, math.inf),
    "perplexity": (1.0, math.inf),
    "bits_per_byte": (0.0, math.inf),
}


class LanguageModel:
    """Continues texts; see `Task`."""

    name, watched = "language-model", False
    labels_are, needs_all = "labels", True
    parity: Sequence[Column] = ()

    def __init__(self, manifest: Manifest, features: Features):
        self.manifest, self.features = manifest, features
        self.settings = settings = read_settings(manifest)
        self._biases = [np.array(row, np.float32) for row in settings.biases]
        self._layers = [places for _, places in manifest.routed]
        self._caches, self.context = CachePool([]), settings.context
        self.routing: Mapping[str, float] = {}
        self._top_k, self._prefer_resident = manifest.top_k, 0.0
        self._rotary = Rotary(1, settings.width, settings.rotary_base)

    def check_features(self, folder: Path) -> None:
        features = self.features
        if not isinstance(features, Vocabulary) or not features.fits(self.settings.pieces):
            raise BundleError(
                f"{folder}: a language model must have features of the kind 'byte-pairs' or "
                f"'tokenizer' with {self.settings.pieces:,} tokens"
            )
        known = self.settings.interpreters
        prefer(known)
        if package() not in known:
            other = next(filter(installed, known), None)
            remedy = "convert with the --target of this board"
            if other is not None:
                remedy += f", or set {CHOICE}={other}"
            raise BundleError(
                f"{folder}: {package()} would compute its files wrongly, they are for "
                f"{' or '.join(known)}; {remedy}"
            )

    @property
    def vocabulary(self) -> Vocabulary:
        assert isinstance(self.features, Vocabulary)
        return self.features

    def initial_state(self) -> dict[str, np.ndarray]:
        return {STREAM: np.zeros((1, self.settings.units), np.float32)}

    def largest_state(self) -> dict[str, np.ndarray]:
        settings, random = self.settings, np.random.default_rng(0)
        mixed = settings.heads * settings.width
        return {
            name: random.normal(size=(ROWS, size)).astype(np.float32)
            for name, size in ((STREAM, settings.units), (MIXED, mixed), (TRUNK, settings.units))
        }

    def reserve(self, context: int | None, sequences: int) -> Mapping[str, int]:
        settings, layers = self.settings, len(self._layers)
        context = min(settings.context, _MOST_RESERVED) if context is None else context
        if not 2 <= context <= settings.context:
            raise UsageError(
                f"context must be 2 to {settings.context:,} tokens, as in training, got {context}"
            )
        if not 1 <= sequences <= LIMITS.beams:
            raise UsageError(f"sequences must be 1 to {LIMITS.beams}, got {sequences}")
        rows = context * cache_row_bytes(layers, settings.key_heads, settings.width)
        if rows * sequences > LIMITS.cache_bytes:
            raise UsageError(
                f"keys and values of {context:,} tokens take {rows:,} bytes for each of "
                f"{sequences} sequences; give a smaller context"
            )
        caches = [KeyValueCache(settings, layers, context) for _ in range(sequences)]
        self._caches, self.context = CachePool(caches), context
        self._rotary = Rotary(context, settings.width, settings.rotary_base)
        buffers = buffer_bytes(settings.units, settings.pieces, context)
        return {
            f"keys and values of {context:,} tokens": sum(one.nbytes for one in caches)
            + self._rotary.nbytes,
            "buffers": sequences * buffers + STARTED,
            "tokenizer": self.vocabulary.nbytes,
        }

    def route_by(self, options: RoutingOptions) -> None:
        most = self.manifest.top_k
        count = options.experts_per_token or most
        if count > most:
            raise UsageError(
                f"experts_per_token must be 1 to {most}, as {self.manifest.name} has, got {count}"
            )
        if options.prefer_resident and count == 1:
            raise UsageError(
                "prefer_resident has no effect with one expert for each token, which is the "
                "router's first choice; remove it"
            )
        self.routing = options.given
        self._top_k, self._prefer_resident = count, options.prefer_resident

    def policy(self) -> Policy:
        return LeastFrequent(self._layers)

    def open_part(
        self,
        path: str,
        content: Any,
        name: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> RowsModel | EmbeddingRows:
        settings = self.settings
        if path == EMBEDDING:
            return EmbeddingRows(content, name, settings.pieces, settings.units, settings.embedding)
        part = RowsModel(content, name, threads, delegate)
        if path in {one.path for one in self.manifest.routers}:
            return part
        given = {
            STREAM: ((1, settings.units), np.float32),
            MIXED: ((1, settings.heads * settings.width), np.float32),
            TRUNK: ((1, settings.units), np.float32),
        }
        into = (settings.heads + 2 * settings.key_heads) * settings.width
        sizes = {attention_in_path(layer): into for layer in range(len(self._layers))}
        sizes[HEAD] = settings.pieces
        must_fit(part, given, sizes.get(path, settings.units), "units")
        return part

    def open_expert(
        self,
        index: int,
        content: bytes,
        path: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Expert:
        return RowsModel(content, path, threads, delegate)

    def check_expert(self, expert: Expert, shapes: Shapes) -> None:
        if not isinstance(expert, RowsModel):
            raise ModelError(f"{expert.name}: is not an expert of this task")
        must_fit(expert, {TRUNK: shapes[TRUNK]}, self.settings.units, "units")

    def prefix(self, index: int) -> str:
        layer = next(number for number, places in enumerate(self._layers) if index in places)
        return f"layer {layer}: "

    def run(self, example: Any, models: Access) -> Continued:
        """Continue one prompt."""
        return self.stream(example, models).answer()

    def run_many(self, examples: Iterable[Any], models: Access) -> list[Answer]:
        """Continue prompts, one after the other."""
        return [self.run(example, models) for example in examples]

    def stream(self, example: Any, models: Access) -> Continuation:
        prompt = example if isinstance(example, Prompt) else Prompt(example)
        vocabulary = self.vocabulary
        if prompt.messages:
            tokens = vocabulary.chat_tokens(prompt.messages)
        else:
            tokens = [*vocabulary.start, *vocabulary.tokens(prompt.text)]
        return Continuation(
            prompt,
            tokens,
            vocabulary,
            self.context,
            self._caches,
            lambda: self._network(models),
            self.manifest.labels[0],
        )

    def run_arrays(self, arrays: Mapping[str, np.ndarray], models: Access) -> Predictions:
        raise UsageError("predict_arrays is not for language models: use predict or stream")

    def losses(
        self, tokens: Sequence[int], models: Access, rows: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute the loss of each token but the first, in nats, and if it was the most probable.

        Args:
            tokens: at most one more than the context; those of `Vocabulary.start` begin a text.
            rows: see `logits`.

        Returns:
            (tokens - 1,) float64 and bool.
        """
        found = self.logits(tokens[:-1], models, rows)
        return _nats(found, tokens[1:]), found.argmax(axis=1) == np.array(tokens[1:])

    def judged(self, tokens: Sequence[int], models: Access) -> tuple[np.ndarray, np.ndarray]:
        """Compute the losses of all tokens but the first, and the logits of the last but one."""
        found = self.logits(tokens[:-1], models)
        return _nats(found, tokens[1:]), found[-1]

    def logits(self, tokens: Sequence[int], models: Access, rows: int | None = None) -> np.ndarray:
        """Compute the logits after each token of a text, (tokens, pieces) float32.

        Args:
            tokens: at most as many as the context has.
            rows: tokens that are computed together, at most `ROWS`; by default so many, or with
                `prefer_resident` one, as a text is written.
        """
        if not 1 <= len(tokens) <= self.context:
            raise UsageError(f"tokens must be 1 to {self.context}, got {len(tokens)}")
        cache, _ = self._caches.take(())
        try:
            network, found = self._network(models), []
            count = rows or (1 if self._prefer_resident else ROWS)
            for start in range(0, len(tokens), count):
                part = list(tokens[start : start + count])
                found.append(network.logits(network.rows(part, cache)))
        except Exception:
            cache.clear()
            raise
        finally:
            self._caches.give_back(cache)
        return np.concatenate(found)

    def _network(self, models: Access) -> LayeredNetwork:
        return LayeredNetwork(
            self.settings, self._rotary, self._biases, self._top_k, self._prefer_resident, models
        )

    def pick(
        self, arrays: dict[str, np.ndarray], models: Access
    ) -> tuple[np.ndarray | None, tuple[int, ...]]:
        """Route the first token of a text in the first layer."""
        embedding: EmbeddingRows = models.dense[EMBEDDING]
        arrays[STREAM] = embedding.rows([(*self.vocabulary.start, *self.vocabulary.ends)[0]])
        layer = models.layers[0]
        gate = layer.route(arrays)[0]
        chosen = np.argsort(-gate, kind="stable")[: self.manifest.top_k].tolist()
        return gate, tuple(layer.places[one] for one in chosen)

    def parts(self, example: Any) -> list[Any]:
        return [example]

    def joined(self, answers: Sequence[Answer]) -> Answer:
        return answers[0]

    def traffic(self, answer: Answer) -> Traffic:
        assert isinstance(answer, Continued)
        return Traffic(answer.tokens, answer.expert_hits, answer.expert_loads, answer.bytes_read)

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        """Return the tokens of continuations up to the first that is unclear, and their certainty.

        Returns:
            "continuations", (examples, MAX_TOKENS) int32, padded with -1; "certain", (examples,):
            more for a longer one, and for one whose least probable token is more probable.
        """
        certain = np.zeros(len(answers))
        rows = np.full((len(answers), MAX_TOKENS), -1, np.int32)
        for row, answer in enumerate(answers):
            assert isinstance(answer, Continued)
            unclear = np.flatnonzero(answer.margins < _CLEAR)
            count = int(unclear[0]) if len(unclear) else answer.tokens
            written = answer.token_ids[: min(max(count, 1), MAX_TOKENS)]
            rows[row, : len(written)] = written
            # An empty continuation would prove nothing.
            least = np.exp(answer.log_probabilities[: len(written)].min()) if written else 0.0
            certain[row] = min(count, MAX_TOKENS) + least
        return {"continuations": rows, "certain": certain}

    def read_golden(self, stored: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        found = stored["continuations"]
        if found.ndim != 2 or len(found) != count or found.dtype.kind not in "iu":
            raise ValueError("continuations must be rows of tokens")
        return {"continuations": found}

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        """Compare the tokens of the continuation."""
        assert isinstance(answer, Continued)
        row = wanted.of_task["continuations"]
        tokens = [int(token) for token in row if token >= 0]
        written = answer.token_ids[: len(tokens)]
        if written == tokens:
            return None
        return f"tokens {written}, {tokens} were expected"

    def outputs(self) -> list[Tensor]:
        return [("text", "BYTES", ()), ("finish_reason", "BYTES", ()), ("degraded", "BOOL", ())]

    def tensor(self, name: str, answers: Iterable[Answer]) -> list[Any]:
        return [getattr(answer, name) for answer in answers]

    def measured(self, given: Mapping[str, np.ndarray], models: Access) -> dict[str, np.ndarray]:
        """Compute what a conversion compares; see `conversion_figures.measured`."""
        return measured(self, given, models)

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    @staticmethod
    def drift_values(scores: np.ndarray) -> np.ndarray:
        largest: np.ndarray = scores.max(axis=1)
        return largest

    @staticmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        found = manifest.provenance
        return known_scores(found.get("test_scores"), found.get("test_examples"), _SCORES)

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        found = LanguageModel.deployed(manifest)
        if found is None:
            if "base_model" in manifest.provenance:  # converted without data
                return "perplexity   not measured; edge-experts evaluate BUNDLE --data TEXT"
            raise ManifestError("provenance: test_scores are missing")
        scores = found.scores
        return (
            f"perplexity   {scores['perplexity']:.2f} ({scores['bits_per_byte']:.3f} bits per "
            f"byte) on {found.examples:,} test documents"
        )


@np.errstate(all="ignore")
def _nats(logits: np.ndarray, targets: Sequence[int]) -> np.ndarray:
    """Compute cross-entropies, (rows,) float64."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    found: np.ndarray = np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(len(wide)), targets]
    return found
