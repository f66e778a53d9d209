"""What all tests of `make endure` share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's environment selects a form or a report."""
    for name in ("SHORT", "REPORT"):
        monkeypatch.delenv(name, raising=False)
