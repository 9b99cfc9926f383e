"""Continuation of a prompt, token by token, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

import numpy as np

from ....errors import ContextError, UsageError
from ....features import Vocabulary
from ....features.chat_template import Message
from ....format.limits import LIMITS
from ...answer import Answer
from .kv_cache import CachePool
from .layered_network import CHUNK, LayeredNetwork, Use
from .sampling import Sampler, Sampling
from .text_stream import TextStream

MAX_TOKENS = 16  # of a continuation, by default
STOP, LENGTH = "stop", "length"  # reasons of its end


@dataclass(frozen=True)
class Prompt:
    """A text to continue, with settings; a `str` has the default ones.

    Attributes:
        max_tokens: limit of the continuation; it also ends where the context is full.
        stop: strings before which the continuation ends.
        messages: a conversation to answer, instead of `text`, which is ignored.

    Raises:
        UsageError: a value is invalid.
    """

    text: str
    max_tokens: int = MAX_TOKENS
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    messages: tuple[Message, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise UsageError(f"a prompt must be a text, got {type(self.text).__name__}")
        if type(self.max_tokens) is not int or not 0 <= self.max_tokens <= LIMITS.written_tokens:
            raise UsageError(
                f"max_tokens must be 0 to {LIMITS.written_tokens:,}, got {self.max_tokens!r:.40}"
            )
        fits = isinstance(self.stop, tuple) and all(
            isinstance(one, str) and one for one in self.stop
        )
        if not fits or len(self.stop) > LIMITS.stop_strings:
            raise UsageError(
                f"stop must be at most {LIMITS.stop_strings} texts, none of them empty, got "
                f"{self.stop!r:.80}"
            )


class Continued(Answer):
    """Answer to a prompt.

    Attributes:
        token_ids: tokens of the continuation, without the one that ended it.
        log_probabilities: their log probabilities before sampling, (tokens,) float32.
        margins: what the best other token's log probability is below each, (tokens,) float32.
        finish_reason: "stop" at the end of the text or a stop string, "length" at a limit.
        prompt_tokens: number of tokens of the prompt, with those before its first.
        reused_tokens: number of these whose keys and values an earlier request had left.
        expert_loads, expert_hits, bytes_read: see `layered_network.Use`.
    """

    __slots__ = (
        *("_first_ns", "_text", "bytes_read", "expert_hits", "expert_loads", "finish_reason"),
        *("_prompt_tokens", "log_probabilities", "margins", "reused_tokens", "token_ids"),
    )

    def __init__(self, label: str, continuation: Continuation, use: Use, end_ns: int):
        experts = tuple(sorted(use.experts))
        start, first = continuation.start_ns, continuation.first_ns or end_ns
        clock = (start, start, start, start, end_ns)
        certain = np.array(continuation.log_probabilities, np.float32)
        super().__init__(label, experts[0], certain, 1.0, clock, experts, None, use.reason)
        self._text, self._first_ns = continuation.text, first - start
        self.token_ids = list(continuation.token_ids)
        self.log_probabilities = certain
        self.margins = np.array(continuation.margins, np.float32)
        self.finish_reason = continuation.finish_reason
        self._prompt_tokens = continuation.prompt_tokens
        self.reused_tokens = continuation.reused_tokens
        self.expert_loads, self.expert_hits = use.loads, use.hits
        self.bytes_read = use.bytes_read

    @property
    def text(self) -> str:
        return self._text

    @property
    def tokens(self) -> int:
        return len(self.token_ids)

    @property
    def prompt_tokens(self) -> int:
        return self._prompt_tokens

    @property
    def first_us(self) -> float:
        return self._first_ns / 1000

    @property
    def score(self) -> float:
        """Geometric mean of the tokens' probabilities; 1 without a token."""
        return float(np.exp(self._logits.mean())) if len(self._logits) else 1.0

    @property
    def scores(self) -> np.ndarray:
        """The score alone, (1,) float32."""
        return np.array([self.score], np.float32)

    @property
    def tokens_per_second(self) -> float:
        """Speed after the first token; 0 without a second one."""
        after = (self._clock[-1] - self._clock[0] - self._first_ns) / 1e9
        return (self.tokens - 1) / after if self.tokens > 1 and after > 0 else 0.0


class Continuation:
    """Writes the continuation of one prompt; see `base.Stream`.

    Iteration yields a text for each chunk of the prompt and each token, often an empty one, so that
    the caller can end it there.

    Args:
        tokens: of the prompt, with those that begin a text.
        context: the most tokens of prompt and continuation together.
        network: creates the network for this request.
        label: of the answer: the bundle's only one.

    Raises:
        UsageError: the prompt has no token.
        ContextError: it has more than the context takes.
    """

    def __init__(
        self,
        prompt: Prompt,
        tokens: Sequence[int],
        vocabulary: Vocabulary,
        context: int,
        caches: CachePool,
        network: Callable[[], LayeredNetwork],
        label: str,
    ):
        self._given = list(tokens)
        if not self._given:
            raise UsageError(
                "the prompt is empty, and this model has no token that begins a text; give a text"
            )
        if len(self._given) > context:
            raise ContextError(
                f"the prompt has {len(self._given):,} tokens, and the context takes {context:,}; "
                "shorten the prompt, or reserve a larger context"
            )
        self._prompt, self._vocabulary, self._context = prompt, vocabulary, context
        self._caches, self._network, self._label = caches, network, label
        self._stream = TextStream(prompt.stop, vocabulary.stripped if prompt.messages else "")
        self.start_ns, self.first_ns = perf_counter_ns(), 0
        self.token_ids: list[int] = []
        self.log_probabilities: list[float] = []
        self.margins: list[float] = []
        self.finish_reason = LENGTH
        self.prompt_tokens, self.reused_tokens = len(self._given), 0
        self._parts = self._written()
        self._answer: Continued | None = None

    @property
    def text(self) -> str:
        return self._stream.text

    def __iter__(self) -> Iterator[str]:
        parts: Iterator[str] = self._parts
        return parts

    def answer(self) -> Continued:
        for _ in self._parts:
            pass
        assert self._answer is not None, "a stream that failed has no answer"
        return self._answer

    def close(self) -> None:
        """End early: free the cache for other requests."""
        self._parts.close()

    def _written(self) -> Any:
        cache, self.reused_tokens = self._caches.take(self._given)
        try:
            network = self._network()
            rows = yield from _prompted(network, self._given, cache)
            yield from self._continued(network, rows, cache)
            self._answer = Continued(self._label, self, network.use, perf_counter_ns())
        except Exception:
            cache.clear()
            raise
        finally:
            self._caches.give_back(cache)

    def _continued(self, network: LayeredNetwork, rows: np.ndarray, cache: Any) -> Iterator[str]:
        sampler, vocabulary = Sampler(self._prompt.sampling), self._vocabulary
        begin = len(vocabulary.start)
        while len(self.token_ids) < self._prompt.max_tokens:
            logits = network.logits(rows[-1:])[0]
            token = sampler.choose(logits, cache.tokens[begin:])
            self.first_ns = self.first_ns or perf_counter_ns()
            if token in vocabulary.ends:
                self.finish_reason = STOP
                break
            self.token_ids.append(token)
            log_probability, margin = _certainty(logits, token)
            self.log_probabilities.append(log_probability)
            self.margins.append(margin)
            yield self._stream.push(vocabulary.bytes_of([token]))
            if self._stream.stopped:
                self.finish_reason = STOP
                return
            if len(cache.tokens) == self._context or (
                len(self.token_ids) == self._prompt.max_tokens
            ):
                break
            rows = network.rows([token], cache)
        if told := self._stream.push(b"", last=True):
            yield told


def _prompted(
    network: LayeredNetwork, tokens: Sequence[int], cache: Any
) -> Generator[str, None, np.ndarray]:
    """Compute a prompt's tokens that the cache does not have; return the last hidden states."""
    rows = np.zeros(0)
    for start in range(len(cache.tokens), len(tokens), CHUNK):
        rows = network.rows(list(tokens[start : start + CHUNK]), cache)
        yield ""
    return rows


@np.errstate(all="ignore")
def _certainty(logits: np.ndarray, token: int) -> tuple[float, float]:
    """Compute a token's log probability, and what the best other token's is below it."""
    apart = logits - logits[token]
    largest = apart.max()
    log_probability = -float(largest + np.log(np.exp(apart - largest).sum()))
    apart[token] = -np.inf
    return log_probability, -float(apart.max())
