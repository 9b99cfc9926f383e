"""Metrics of a runtime for a Prometheus registry of the `prometheus-client` package.

    registry.register(RuntimeCollector(runtime))
    prometheus_client.generate_latest(registry)

Answers are counted by the caller, as `edge_experts.serving` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .bundles_together import Runtime


class RuntimeCollector:
    """Metrics of bundles, their resident experts and drift, computed at each scrape.

    Args:
        runtimes: one runtime; or several by their names, which are the values of the label `model`.

    Raises:
        MissingExtraError: prometheus-client is not installed.
    """

    def __init__(self, runtimes: Runtime | Mapping[str, Runtime]):
        try:
            from prometheus_client import core
        except ModuleNotFoundError:
            raise MissingExtraError("prometheus-client", "metrics") from None
        self._core, self._labels = core, list[str]()
        self._runtimes: list[tuple[list[str], Runtime]] = []
        if isinstance(runtimes, Mapping):
            self._labels.append("model")
            self._runtimes += (([name], runtime) for name, runtime in runtimes.items())
        else:
            self._runtimes.append(([], runtimes))

    def collect(self) -> Iterator[Any]:
        """Yield the metric families of a scrape."""
        gauge, counter = self._core.GaugeMetricFamily, self._core.CounterMetricFamily
        bundle = self._core.InfoMetricFamily(
            "edge_experts_bundle", "The bundle that answers.", labels=self._labels
        )
        scheme = self._core.InfoMetricFamily(
            "edge_experts_residency",
            "How experts are loaded: slots, mapped or plain.",
            labels=self._labels,
        )
        resident = gauge("edge_experts_resident", "Experts in memory.", labels=self._labels)
        taken = gauge(
            "edge_experts_resident_bytes",
            "Memory of the routers and the resident experts, as it was measured.",
            labels=self._labels,
        )
        locked = gauge(
            "edge_experts_locked_bytes",
            "Memory of a language model's dense parts that cannot be swapped out.",
            labels=self._labels,
        )
        quarantined = gauge(
            "edge_experts_quarantined",
            "Experts that could not be used when they were last tried.",
            labels=self._labels,
        )
        # The counters restart at 0 in a new version, which Prometheus treats as a process restart.
        loads = counter("edge_experts_loads", "Experts that were loaded.", labels=self._labels)
        evictions = counter(
            "edge_experts_evictions",
            "Experts that were evicted because another expert needed memory.",
            labels=self._labels,
        )
        for own, runtime in self._runtimes:
            manifest, counts = runtime.manifest, runtime.counts
            version = str(manifest.bundle_version)
            options = {name: f"{value:g}" for name, value in runtime.task.routing.items()}
            bundle.add_metric(own, {"name": manifest.name, "version": version, **options})
            scheme.add_metric(own, {"scheme": runtime.scheme.name})
            resident.add_metric(own, len(runtime.resident))
            taken.add_metric(own, runtime.resident_bytes)
            if runtime.locked is not None:
                locked.add_metric(own, runtime.locked.bytes)
            quarantined.add_metric(own, len(runtime.quarantined))
            loads.add_metric(own, counts.loads)
            evictions.add_metric(own, counts.evictions)
        yield from (bundle, scheme, resident, taken, locked, quarantined, loads, evictions)
        yield from self._drift()

    def _drift(self) -> Iterator[Any]:
        drifted = self._core.GaugeMetricFamily(
            "edge_experts_drift",
            "1 if inputs differ from the validation data of the bundle, else 0.",
            labels=self._labels,
        )
        distance = self._core.GaugeMetricFamily(
            "edge_experts_drift_distance",
            "Share of answers that fall into other bins than on validation data.",
            labels=[*self._labels, "signal"],
        )
        for own, runtime in self._runtimes:
            drift = runtime.drift
            if drift is not None:
                drifted.add_metric(own, int(drift.drifted))
                for name, one in drift.signals.items():
                    distance.add_metric([*own, name], one.distance)
        if drifted.samples:  # otherwise none is monitored
            yield from (drifted, distance)
