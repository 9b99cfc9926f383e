"""Metrics of a server, in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ..runtime import Answer

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_Metric = TypeVar("_Metric", Counter, Gauge, Histogram)


class Metrics:
    """Counters of one server, in a separate registry.

    Args:
        by_model: each metric has the label `model`.
    """

    def __init__(self, *, by_model: bool = False):
        self.by_model = by_model
        self.registry = registry = CollectorRegistry()
        own = ["model"] if by_model else []
        self._requests = Counter(
            "edge_experts_requests", "Requests, by status code.", [*own, "code"], registry=registry
        )
        self.waiting = Gauge(
            "edge_experts_waiting", "Requests that wait or are answered.", own, registry=registry
        )
        self.answers = Counter(
            "edge_experts_answers",
            "Answers, by the expert that was asked first.",
            [*own, "expert"],
            registry=registry,
        )
        self.abstained = Counter(
            "edge_experts_abstained", "Answers that were withheld.", own, registry=registry
        )
        self.degraded = Counter(
            "edge_experts_degraded",
            "Answers by another expert than the router's choice, which could not be used.",
            own,
            registry=registry,
        )
        self.prompt_tokens = Counter(
            "edge_experts_prompt_tokens", "Tokens of prompts.", own, registry=registry
        )
        self.written_tokens = Counter(
            "edge_experts_written_tokens",
            "Tokens that were written, also for clients that left.",
            own,
            registry=registry,
        )
        self.seconds = Histogram(
            "edge_experts_request_seconds",
            "From arrival to answers, waiting included.",
            own,
            buckets=_SECONDS,
            registry=registry,
        )

    def responded(self, model: str, status: int) -> None:
        """Count a response.

        Args:
            model: empty for requests that concern no model, or none of this server.
        """
        labels = (model, status) if self.by_model else (status,)
        self._requests.labels(*labels).inc()

    def text(self) -> bytes:
        """Metrics in the exposition format of Prometheus."""
        return bytes(generate_latest(self.registry))


class ModelMetrics:
    """Counters of one model of a server."""

    def __init__(self, metrics: Metrics, model: str):
        self._labels = (model,) if metrics.by_model else ()
        self.waiting = self._own(metrics.waiting)
        self._answers = metrics.answers
        self._abstained, self._degraded = self._own(metrics.abstained), self._own(metrics.degraded)
        self._prompt_tokens = self._own(metrics.prompt_tokens)
        self._written_tokens = self._own(metrics.written_tokens)
        self._seconds = self._own(metrics.seconds)

    def answered(self, answers: Sequence[Answer], seconds: float) -> None:
        """Count the answers of a request, and its latency."""
        self._seconds.observe(seconds)
        for answer in answers:
            self._answers.labels(*self._labels, answer.expert).inc()
            if answer.abstained:
                self._abstained.inc()
            if answer.degraded:
                self._degraded.inc()

    def wrote(self, prompt_tokens: int, written_tokens: int) -> None:
        """Count the tokens of a prompt, and those that were written."""
        self._prompt_tokens.inc(prompt_tokens)
        self._written_tokens.inc(written_tokens)

    def _own(self, metric: _Metric) -> _Metric:
        return metric.labels(*self._labels) if self._labels else metric
