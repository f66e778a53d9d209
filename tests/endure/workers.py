"""Processes beside this one, for requests that must not delay what it measures."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
from collections.abc import Iterator


@contextlib.contextmanager
def worker_processes(number: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """A pool of so many processes. If the block fails, as when the run is interrupted, they are ended at once; the pool
    would wait for what they do, which can take an hour."""
    with concurrent.futures.ProcessPoolExecutor(number, multiprocessing.get_context("spawn")) as workers:
        try:
            yield workers
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()
            raise
