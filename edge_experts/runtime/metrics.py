"""Metrics of a runtime for a Prometheus registry of the `prometheus-client` package.

    registry.register(RuntimeCollector(runtime))
    prometheus_client.generate_latest(registry)

Answers are counted by the caller, as `edge_experts.serving` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .engine import ExpertRuntime
    from .installed import InstalledRuntime


class RuntimeCollector:
    """Metrics of the bundle, its resident experts and drift, computed at each scrape.

    Raises:
        MissingExtraError: prometheus-client is not installed.
    """

    def __init__(self, runtime: ExpertRuntime | InstalledRuntime):
        try:
            from prometheus_client import core
        except ModuleNotFoundError:
            raise MissingExtraError("prometheus-client", "metrics") from None
        self._runtime, self._core = runtime, core

    def collect(self) -> Iterator[Any]:
        """Yield the metric families of a scrape."""
        gauge, counter = self._core.GaugeMetricFamily, self._core.CounterMetricFamily
        runtime, counts = self._runtime, self._runtime.counts
        yield self._core.InfoMetricFamily(
            "edge_experts_bundle",
            "The bundle that answers.",
            {
                "name": runtime.manifest.name,
                "version": str(runtime.manifest.bundle_version),
            },
        )
        yield self._core.InfoMetricFamily(
            "edge_experts_residency",
            "How experts are loaded: slots, mapped or plain.",
            {"scheme": runtime.scheme.name},
        )
        yield gauge("edge_experts_resident", "Experts in memory.", value=len(runtime.resident))
        yield gauge(
            "edge_experts_resident_bytes",
            "Memory of the routers and the resident experts, as it was measured.",
            value=runtime.resident_bytes,
        )
        yield gauge(
            "edge_experts_quarantined",
            "Experts that could not be used when they were last tried.",
            value=len(runtime.quarantined),
        )
        # The counters restart at 0 in a new version, which Prometheus treats as a process restart.
        yield counter("edge_experts_loads", "Experts that were loaded.", value=counts.loads)
        yield counter(
            "edge_experts_evictions",
            "Experts that were evicted because another expert needed memory.",
            value=counts.evictions,
        )
        yield from self._drift()

    def _drift(self) -> Iterator[Any]:
        drift = self._runtime.drift
        if drift is None:  # not monitored
            return
        gauge = self._core.GaugeMetricFamily
        yield gauge(
            "edge_experts_drift",
            "1 if inputs differ from the validation data of the bundle, else 0.",
            value=int(drift.drifted),
        )
        distance = gauge(
            "edge_experts_drift_distance",
            "Share of answers that fall into other bins than on validation data.",
            labels=["signal"],
        )
        for name, one in drift.signals.items():
            distance.add_metric([name], one.distance)
        yield distance
