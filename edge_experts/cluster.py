"""Work spread over a Dask cluster (https://distributed.dask.org), whose machines share a folder.

Each call runs in a process of its own on the worker, `python -m edge_experts.cluster FOLDER`: Keras
keeps settings by thread, and TensorFlow may end its process.
"""

from __future__ import annotations

import contextlib
import pickle
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import MachineError, MissingExtraError, NetworkError, UsageError
from .version import VERSION

_PATIENCE = 20  # seconds, for the scheduler
_CALL, _RESULT = "call.pickle", "result.pickle"


def spread(
    scheduler: str, function: Callable[..., Any], calls: Sequence[Sequence[Any]], shared: Path
) -> Iterator[tuple[int, Any]]:
    """Call a function on the workers, and yield the place of each call with its result.

    Results come as they are ready. A call whose worker is lost is repeated by another worker. If
    one raises an error, the others are cancelled and the error is raised here.

    Args:
        scheduler: address, such as "tcp://192.168.1.5:8786".
        function: a function of this package: workers import it.
        calls: the arguments of each call.
        shared: a folder that the calls write to.

    Raises:
        MissingExtraError: distributed is not installed.
        NetworkError: no scheduler answers.
        MachineError: no workers, workers that do not see the folder or were lost several times, or
            a call ended its process.
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
            client.submit(_isolated, function, tuple(call), pure=False): place
            for place, call in enumerate(calls)
        }
        try:
            for future in library.as_completed(list(places), loop=client.loop):
                try:
                    result = future.result()
                except library.KilledWorker as error:
                    raise MachineError(
                        f"--scheduler {scheduler}: workers were lost several times at the same "
                        f"work ({error}); their logs say why, often a lack of memory"
                    ) from None
                yield places.pop(future), result
        finally:
            client.cancel(list(places))


def _check_workers(client: Any, scheduler: str, shared: Path) -> None:
    with contextlib.suppress(TimeoutError):
        client.wait_for_workers(1, timeout=_PATIENCE)  # those that died are started again
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


def _isolated(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a function in a process of its own, and return its result or raise its error."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, _CALL).write_bytes(pickle.dumps((function, arguments)))
        command = [sys.executable, "-m", __name__, folder]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        answer = Path(folder, _RESULT)
        if not answer.exists():
            last = (done.stderr.strip().splitlines() or ["without a message"])[-1]
            ended = f"the process of a call ended with {done.returncode}: {last}"
            raise MachineError(f"{socket.gethostname()}: {ended}")
        result, error = pickle.loads(answer.read_bytes())
    if error is not None:
        raise error
    return result


def _answer(folder: Path) -> None:
    function, arguments = pickle.loads((folder / _CALL).read_bytes())
    answer: tuple[Any, Exception | None]
    try:
        answer = function(*arguments), None
    except Exception as error:  # raised again where the call came from
        answer = None, error
    (folder / _RESULT).write_bytes(pickle.dumps(answer))


if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
