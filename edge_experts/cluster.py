"""Work spread over a Dask cluster (https://distributed.dask.org), whose machines share a folder."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import MachineError, MissingExtraError, NetworkError, UsageError
from .version import VERSION

_PATIENCE = 20  # seconds, for the scheduler


def spread(
    scheduler: str, function: Callable[..., Any], calls: Sequence[Sequence[Any]], shared: Path
) -> Iterator[tuple[int, Any]]:
    """Call a function on the workers, and yield the place of each call with its result.

    Results come as they are ready. A call whose worker dies is repeated by another worker. If one
    raises an error, the others are cancelled and the error is raised here.

    Args:
        scheduler: address, such as "tcp://192.168.1.5:8786".
        function: a function of this package: workers import it.
        calls: the arguments of each call.
        shared: a folder that the calls write to.

    Raises:
        MissingExtraError: distributed is not installed.
        NetworkError: no scheduler answers.
        MachineError: no workers, workers that do not see the folder, or that died several times.
        UsageError: workers have another version of this package.
    """
    try:
        import distributed
    except ModuleNotFoundError:
        raise MissingExtraError("Dask", "cluster") from None
    try:
        library: Any = distributed  # its functions have no types
        client = library.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise NetworkError(
            f"--scheduler {scheduler}: no Dask scheduler answers ({error}); start `dask scheduler` "
            "there, and `dask worker` with its address on each machine"
        ) from None
    with client:
        _check_workers(client, scheduler, shared)
        places = {
            client.submit(function, *call, pure=False): place for place, call in enumerate(calls)
        }
        try:
            for future in library.as_completed(list(places)):
                try:
                    result = future.result()
                except library.KilledWorker as error:
                    raise MachineError(
                        f"--scheduler {scheduler}: workers died several times at the same work "
                        f"({error}); their logs say why, often a lack of memory"
                    ) from None
                yield places.pop(future), result
        finally:
            client.cancel(list(places))


def _check_workers(client: Any, scheduler: str, shared: Path) -> None:
    marker = shared / f".{secrets.token_hex(8)}"
    marker.touch()
    try:
        found = client.run(_state, str(marker), on_error="return")
    finally:
        with contextlib.suppress(OSError):
            marker.unlink()
    if not found:
        raise MachineError(
            f"--scheduler {scheduler}: it has no workers; start `dask worker {scheduler}`"
        )
    for worker, state in found.items():
        if isinstance(state, Exception):
            raise MachineError(f"{worker}: edge-experts cannot be imported there: {state}")
        version, is_visible = state
        if version != VERSION:
            raise UsageError(f"{worker}: has edge-experts {version}, and this machine {VERSION}")
        if not is_visible:
            raise MachineError(
                f"{worker}: does not see {shared}; the machines of a cluster need a common file "
                "system, with the same paths"
            )


def _state(marker: str) -> tuple[str, bool]:
    return VERSION, Path(marker).exists()
