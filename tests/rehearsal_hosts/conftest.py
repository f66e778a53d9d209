"""The rehearsal of several hosts behind a balancer. Its fixtures and the table at its end are those of the rehearsal of
one host (tests/rehearsal/phases.py), from which it differs in its form and its proofs."""

from __future__ import annotations

import pytest
from rehearsal.load import Counts


@pytest.fixture(scope="session")
def hosts() -> int:
    """The number of hosts with which the rehearsal begins."""
    return 3


@pytest.fixture(scope="session")
def planned() -> list[Counts]:
    """What the loads of planned changes have counted, which must fail no request."""
    return []
