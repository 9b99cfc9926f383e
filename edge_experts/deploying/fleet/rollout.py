"""Update of a fleet in stages, and the state of its sites."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from typing import Any

from ...errors import EdgeExpertsError
from ...format.install_root import resolve
from ...format.manifest_parser import read_manifest
from ..deploy_options import DeployOptions
from ..deployment import Order, deploy_each, name_on_board
from ..outcome import Outcome
from ..ssh import Link
from .server_state import read_metrics
from .site_result import Addition, SiteResult
from .sites import Site

_AT_ONCE = 32  # connections
Told = Callable[[str], None]


def roll_out(
    sites: Sequence[Site],
    additions: Mapping[str, Addition],
    options: DeployOptions,
    *,
    port: int,
    told: Told,
) -> list[SiteResult]:
    """Deploy to the sites stage by stage; a stage with a failure is the last one.

    The sites of a stage are updated in parallel. Sites of later stages stay as they are; the same
    call goes on with them once the cause is removed.

    Args:
        additions: by host, of sites with an expert of their own.
        port: of the sites' servers, whose metrics are read.
        told: takes the heading of each stage.

    Returns:
        A result for every site, in their order.

    Raises:
        EdgeExpertsError: what `deploy` raises.
    """
    results = {site.host: SiteResult(site, additions.get(site.host)) for site in sites}
    for stage, group in groupby(sorted(sites, key=_stage), _stage):
        members = list(group)
        told(f"Stage {stage}: {', '.join(site.host for site in members)}")
        orders = [_order(site, additions.get(site.host)) for site in members]
        outcomes = deploy_each(orders, options)
        for site, outcome in zip(members, outcomes, strict=True):
            results[site.host] = _updated(results[site.host], outcome)
        well = [site for site in members if results[site.host].error is None]
        if not options.dry_run:
            _add_states(results, well, options, port)
        if len(well) < len(members):
            break
    return [results[site.host] for site in sites]


def states_of(sites: Sequence[Site], options: DeployOptions, *, port: int) -> list[SiteResult]:
    """Query all sites, and change nothing there."""
    results = {site.host: SiteResult(site) for site in sites}
    _add_states(results, sites, options, port)
    return [results[site.host] for site in sites]


def _stage(site: Site) -> int:
    return site.stage


def _order(site: Site, addition: Addition | None) -> Order:
    own = None if addition is None else addition.bundle
    # The name of the common bundle: an expert of its own does not move a site to another folder.
    return Order(site.host, site.bundle if own is None else own, _name(site))


def _name(site: Site) -> str:
    if site.name is not None:
        return site.name
    return name_on_board(read_manifest(resolve(site.bundle)).name)


def _updated(result: SiteResult, outcome: Outcome) -> SiteResult:
    return replace(result, outcome=outcome, current=outcome.current, error=outcome.error)


def _add_states(
    results: dict[str, SiteResult], sites: Sequence[Site], options: DeployOptions, port: int
) -> None:
    """Ask sites in parallel for their version, and for their server's metrics."""

    def ask(site: Site) -> SiteResult:
        given = {"name": _name(site), "port": port}
        try:
            found = _state(Link(site.host, options.ssh), options, given)
        except EdgeExpertsError as error:
            return replace(results[site.host], error=error)
        metrics = found["metrics"]
        server = None if metrics is None else read_metrics(metrics)
        return replace(results[site.host], current=found["current"], server=server)

    with ThreadPoolExecutor(max(1, min(len(sites), _AT_ONCE))) as pool:
        results.update((one.site.host, one) for one in pool.map(ask, sites))


def _state(link: Link, options: DeployOptions, given: Mapping[str, Any]) -> dict[str, Any]:
    return link.python(options.python, "state", options.root, json.dumps(given))
