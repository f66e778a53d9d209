"""All of these changes together."""

from rehearsal_changes.changes import Changes
from rehearsal_changes.settings import Settings


def test_they_have_met_enough_requests_of_which_none_failed(changes: Changes, settings: Settings, show) -> None:
    requests, failed = (sum(getattr(row, name) for row in changes.rows) for name in ("requests", "failed"))
    show(f"{requests:,} requests, {failed:,} failed")
    assert requests >= settings["least-requests"]
    assert failed == 0
