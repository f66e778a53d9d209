"""Processes beside that of a run."""

from __future__ import annotations

import concurrent.futures
import time
from concurrent.futures.process import BrokenProcessPool

import pytest
from endure.workers import worker_processes

LONG = 600  # seconds


def test_an_interrupted_run_does_not_wait_for_its_processes() -> None:
    """They are ended, so that what they do has no result."""
    work: concurrent.futures.Future[None] | None = None
    with pytest.raises(KeyboardInterrupt), worker_processes(1) as workers:
        workers.submit(time.monotonic).result()  # the process has started
        work = workers.submit(time.sleep, LONG)
        raise KeyboardInterrupt
    assert work and isinstance(work.exception(), BrokenProcessPool)


def test_a_run_that_ends_has_the_results_of_its_processes() -> None:
    """It waits for them."""
    with worker_processes(1) as workers:
        work = workers.submit(abs, -1)
    assert work.result() == 1
