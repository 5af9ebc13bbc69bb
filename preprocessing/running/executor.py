"""Running a plan: the same function over frozen work items, in a pool or on a cluster."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    CancelledError,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from threadpoolctl import threadpool_limits

from preprocessing.errors import RequestError, WorkerLostError

__all__ = ["DaskCluster", "Executor", "LocalPool", "default_workers", "in_threads", "one_thread"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_asked_to_stop = threading.local()
"""Events `by` of the calls of `in_threads` that a thread works for."""


def default_workers() -> int:
    """How many processes to use: one a core, but only one where there is a GPU to share."""
    return 1 if torch.cuda.is_available() else os.cpu_count() or 1


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> Iterator[Result]:
    """Yield results in the order of the items; for work that leaves Python to others meanwhile.

    Where it ends early (an error, Ctrl-C), items that were not begun are not, nor are those that
    items which are at work hand to threads themselves.
    """
    if threads < 2:
        yield from map(function, items)
        return
    mine, outer = threading.Event(), getattr(_asked_to_stop, "by", ())

    def run(item: Item) -> Result:
        _asked_to_stop.by = (mine, *outer)
        if any(event.is_set() for event in _asked_to_stop.by):
            raise CancelledError
        return function(item)

    # In a new thread, what PyTorch does before its first loop of its own takes all cores; asking
    # how many threads there are gives it the limit that `one_thread` sets.
    with ThreadPoolExecutor(threads, initializer=torch.get_num_threads) as pool:
        try:
            yield from pool.map(run, items)
        except BaseException:
            mine.set()
            raise


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums on several threads differ in their last bits: PyTorch and NumPy take one each.

    `in_threads` keeps to it too. So a result does not depend on how many cores there are.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)


class Executor(Protocol):
    """Maps a module-level function over items; results come in the order they are done."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield the result of each item."""
        ...


@dataclass(frozen=True)
class LocalPool:
    """Several processes of this machine, which share its cores.

    Attributes:
        workers: Processes, at least 1.
    """

    workers: int

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise RequestError(f"expected --workers of 1 or more, got {self.workers}")

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield results as workers finish; the first failure ends the run.

        Raises:
            WorkerLostError: A process was killed.
        """
        threads = max(1, (os.cpu_count() or 1) // self.workers)
        with ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin_worker,
            initargs=(threads,),
        ) as pool:
            futures = [pool.submit(function, item) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BrokenProcessPool as err:
                pool.shutdown(wait=False, cancel_futures=True)
                raise WorkerLostError(
                    f"one of {self.workers} worker processes was killed, often for want of memory; "
                    "go on with --resume, with fewer --workers if it happens again"
                ) from err
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


@dataclass(frozen=True)
class DaskCluster:
    """Workers of a Dask cluster that see the same files under the same paths.

    Attributes:
        address: Of the scheduler, for example `tcp://host:8786`.
    """

    address: str

    @property
    def workers(self) -> int:
        """Tasks that it runs at once.

        Raises:
            RequestError: See `map`.
        """
        with self._client() as client:
            return sum(client.nthreads().values())

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Yield results as workers finish; the first failure ends the run.

        Raises:
            RequestError: Dask is not installed, or no scheduler answers.
            WorkerLostError: The scheduler no longer answers, or its workers died at the task.
        """
        with self._client() as client:
            import distributed

            futures = client.map(function, list(items), pure=False)
            try:
                for future in distributed.as_completed(futures):
                    yield future.result()
            except (
                distributed.CancelledError,
                distributed.KilledWorker,
                distributed.comm.CommClosedError,
            ) as err:
                raise WorkerLostError(
                    f"the Dask cluster at {self.address} was lost or its workers died "
                    f"({type(err).__name__}); start it again and go on with --resume"
                ) from err

    def _client(self) -> Any:
        try:
            import distributed
        except ImportError as err:
            raise RequestError(
                "expected the package 'distributed' for --dask; install landcast[dask]"
            ) from err
        try:
            return distributed.Client(self.address, timeout=10)
        except (OSError, ValueError) as err:
            raise RequestError(
                f"expected a Dask scheduler at {self.address}, none answered ({err})"
            ) from err


def _begin_worker(threads: int) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose run was killed must not go on writing beside the run that resumes it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
