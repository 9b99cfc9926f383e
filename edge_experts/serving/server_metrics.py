"""Metrics of a server, in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ..runtime import Answer

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters of one server, in a separate registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "edge_experts_requests", "Requests, by status code.", ["code"], registry=self.registry
        )
        self.waiting = Gauge(
            "edge_experts_waiting", "Requests that wait or are answered.", registry=self.registry
        )
        self._answers = Counter(
            "edge_experts_answers",
            "Answers, by the expert that was asked first.",
            ["expert"],
            registry=self.registry,
        )
        self._abstained = Counter(
            "edge_experts_abstained", "Answers that were withheld.", registry=self.registry
        )
        self._degraded = Counter(
            "edge_experts_degraded",
            "Answers by another expert than the router's choice, which could not be used.",
            registry=self.registry,
        )
        self._seconds = Histogram(
            "edge_experts_request_seconds",
            "From arrival to answers, waiting included.",
            buckets=_SECONDS,
            registry=self.registry,
        )

    def answered(self, answers: Sequence[Answer], seconds: float) -> None:
        """Count the answers of a request, and its latency."""
        self._seconds.observe(seconds)
        for answer in answers:
            self._answers.labels(answer.expert).inc()
            if answer.abstained:
                self._abstained.inc()
            if answer.degraded:
                self._degraded.inc()

    def text(self) -> bytes:
        """Metrics in the exposition format of Prometheus."""
        return bytes(generate_latest(self.registry))
