"""The checker accepts what the model allows, and nothing else."""

from __future__ import annotations

import pytest
from endure.histories import GONE, Event, State, is_linearizable

# Each event: beginning, end, action, answer.
ALLOWED = {
    "one after another": [(0, 1, "mark", True), (2, 3, "read", True), (4, 5, "unmark", False), (6, 7, "list", False)],
    "at once, the later first": [(0, 9, "mark", True), (1, 8, "read", False)],
    "at once, read after it": [(0, 9, "mark", True), (1, 8, "read", True)],
    "the sender sees it": [(0, 1, "mark", True), (2, 3, "look", True)],
    "deleted by its receiver": [(0, 1, "remove", None), (2, 3, "read", GONE), (2, 3, "look", False)],
    "deleted by its sender": [(0, 1, "delete", None), (2, 3, "list", GONE), (2, 3, "look", GONE)],
    "deleted twice": [(0, 5, "remove", None), (1, 6, "remove", GONE)],
}
VIOLATIONS = {
    "a lost update": [(0, 1, "mark", True), (2, 3, "read", False)],
    "an answer about another's change": [(0, 9, "mark", False), (1, 8, "unmark", False)],
    "back and forth": [(0, 9, "mark", True), (1, 2, "read", True), (3, 4, "read", False)],
    "back from the dead": [(0, 1, "remove", None), (2, 3, "list", False)],
    "deleted by nobody": [(0, 1, "read", GONE)],
    "deleted twice with success": [(0, 5, "delete", None), (1, 6, "delete", None)],
    "left with the receiver": [(0, 1, "delete", None), (2, 3, "read", False)],
}


def history(events: list[tuple]) -> list[Event]:
    """The events."""
    return [Event(*event) for event in events]


@pytest.mark.parametrize("name", ALLOWED)
def test_a_history_that_the_model_allows_is_accepted(name: str) -> None:
    """In any order of its list."""
    assert is_linearizable(history(ALLOWED[name]), State())
    assert is_linearizable(history(ALLOWED[name])[::-1], State())


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_history_that_the_model_does_not_allow_is_refused(name: str) -> None:
    """In any order of its list."""
    assert not is_linearizable(history(VIOLATIONS[name]), State())
    assert not is_linearizable(history(VIOLATIONS[name])[::-1], State())
