"""Worker pool for conversions: one start of TensorFlow each; crashes name the network."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from types import TracebackType
from typing import Any

from .child_process import environment_of_child, reason_of_end

Task = Mapping[str, Any]  # see worker.py
PATIENCE = 600.0  # seconds for one file: a converter that takes longer will probably not end


class Workers:
    """Processes of worker.py, which share one job folder and run tasks in parallel.

    If a task ends its process, or never ends, only this task fails: the others continue, in a new
    process if necessary.

    Args:
        job: the folder that worker.py describes; a task may name another one as its "job".
        most: the number of processes at once.
        module: the module to run: `worker.serve` with a task of its own.
        patience: seconds that one task may take.
    """

    def __init__(
        self,
        job: Path,
        most: int,
        module: str = "edge_experts.converters.process.worker",
        patience: float = PATIENCE,
    ):
        self._job, self._most, self._module, self._patience = job, most, module, patience
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()  # the most recently used is first
        self._all: list[_Worker] = []

    def start(self, count: int) -> None:
        """Start `count` processes, which import TensorFlow before they are needed."""
        while len(self._all) < min(count, self._most):
            worker = _Worker(self._job, self._module, self._patience)
            self._all.append(worker)
            self._idle.put(worker)

    def run(
        self, tasks: Sequence[Task], on_done: Callable[[Task], None] = lambda task: None
    ) -> dict[int, str]:
        """Run all tasks; `on_done` is called in this thread as they end.

        Returns:
            the reasons of those that failed, by their index in `tasks`.
        """
        self.start(1)
        failures: dict[int, str] = {}
        with ThreadPoolExecutor(len(self._all) or 1) as threads:
            waiting = {threads.submit(self._ask, task): place for place, task in enumerate(tasks)}
            try:
                for future in as_completed(waiting):
                    place = waiting[future]
                    reason = future.result()
                    if reason is not None:
                        failures[place] = reason
                    on_done(tasks[place])
            except BaseException:  # interrupted by the user: the other tasks are not awaited
                threads.shutdown(wait=False, cancel_futures=True)
                self.close()
                raise
        return failures

    def _ask(self, task: Task) -> str | None:
        worker = self._idle.get()
        try:
            return worker.ask(task)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End all processes, busy or not."""
        for worker in self._all:
            worker.end()

    def rest(self) -> None:
        """End all processes, which are idle; new ones start when there is more to do."""
        self.close()
        self._all.clear()
        self._idle = queue.LifoQueue()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Worker:
    def __init__(self, job: Path, module: str, patience: float):
        self._job, self._module, self._patience = job, module, patience
        self._ended = False
        self._start()

    def _start(self) -> None:
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", dir=self._job)  # noqa: SIM115  closed with it
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, str(self._job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
            errors="replace",
            env=environment_of_child(self._job),
        )

    def ask(self, task: Task) -> str | None:
        """Run a task; return the reason if it failed."""
        if self._ended:
            return "it was interrupted"
        # Preparing answers all examples with Keras, which may take any time but ends.
        patience = self._patience if task["do"] == "convert" else None
        line, late = self._answer(task, patience)
        if line:
            failed: str | None = json.loads(line)["failed"]
            return failed
        code = self._process.wait()
        self._log.seek(0)
        reason = reason_of_end(code, self._log.read())
        if late:
            reason = f"it took longer than {self._patience:,g} seconds, and was ended"
        self._close()
        if not self._ended:
            self._start()
        return reason

    def _answer(self, task: Task, patience: float | None) -> tuple[str, bool]:
        """Return the line that answers a task, empty if the process ended; True after a timeout."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        late, process = threading.Event(), self._process

        def give_up() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(patience or 0, give_up)
        watch.daemon = True
        if patience is not None:
            watch.start()
        try:
            print(json.dumps(task), file=process.stdin, flush=True)
            return self._process.stdout.readline(), late.is_set()
        except BrokenPipeError:
            return "", late.is_set()
        finally:
            watch.cancel()

    def end(self) -> None:
        self._ended = True
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # the reader is gone
                    stream.close()
