"""A flood of logins is judged by its pages and by its refusals."""

from __future__ import annotations

import types

from endure.ledger import NO_ANSWER, Attempt
from endure.logins import Login, judge
from endure.report import Row

LIMITS = {"page-ratio-limit": 1.5, "refusal-limit": 0.05, "answer-limit": 3}
FLOOD = {"flood-rate": 100, "flood-seconds": 1}
PROBER = types.SimpleNamespace(failures=[])


def logins(status: int, seconds: float = 0.01, has_retry_after: bool = True, rate: float = 100) -> list[Login]:
    """A second of logins, from 10 on, of which the first two are answered with what there is in each flood."""
    other = [Login(10, 0.01, status, True) for status in (429, 503)]
    return [*other, *(Login(10 + n / rate, seconds, status, has_retry_after) for n in range(int(rate) + 1))]


def misses(flood: list[Login], page: float = 0.01, status: int = 200, limits: dict[str, float] = LIMITS) -> list[str]:
    """What is told if pages take 10 ms, and this many seconds during the flood."""
    return judged(flood, limits, page, status).misses


def judged(flood: list[Login], limits: dict[str, float], page: float = 0.01, status: int = 200) -> Row:
    """The row of a flood."""
    pages = [Attempt(begun, begun + 0.01, "page", 0, 200) for begun in range(9)]
    pages += [Attempt(10.5, 10.5 + page, "page", 0, status)] * 9
    return judge([flood], pages, PROBER, {**FLOOD, **limits}, 20)


def test_what_the_api_has_for_a_flood_is_accepted() -> None:
    """A login that is not refused may take some time."""
    assert misses(logins(429)) == []
    assert misses(logins(503)) == []
    assert misses(logins(401, seconds=2)) == []


def test_a_login_that_takes_too_long_is_told() -> None:
    """If times are judged."""
    assert misses(logins(401, seconds=4)) == ["the answer to a login took more than 3 s"]
    assert misses(logins(401, seconds=4), limits=dict.fromkeys(LIMITS, 0)) == []


def test_a_page_that_fails_is_told() -> None:
    """Without limits of time, too."""
    assert misses(logins(429), status=503, limits=dict.fromkeys(LIMITS, 0)) == ["9 pages failed (503)"]


def test_other_answers_to_logins_are_told() -> None:
    """Also none."""
    assert misses(logins(500)) == ["logins were answered with 500"]
    assert misses(logins(NO_ANSWER)) == ["logins were answered with nothing"]


def test_the_reasons_of_missing_answers_are_told() -> None:
    """Each with its number."""
    silent = [Login(10 + n / 100, 0.01, NO_ANSWER, False, fault="TimeoutError()") for n in range(101)]
    assert "without an answer: 101 times TimeoutError()" in judged(silent, LIMITS).notes


def test_a_refusal_without_the_time_to_wait_is_told() -> None:
    """Each of them."""
    assert misses(logins(503, has_retry_after=False)) == ["101 refusals without Retry-After"]


def test_a_flood_that_is_not_refused_is_none() -> None:
    """Neither is a slow one."""
    assert misses([Login(10 + n / 100, 0.1, 401, False) for n in range(101)]) == [
        "no login was answered with 429 or 503, so it was no flood"
    ]
    assert misses(logins(429, rate=50)) == ["only 53 logins a second were sent"]


def test_slow_pages_and_slow_refusals_are_told() -> None:
    """If times are judged."""
    slow = logins(429, seconds=0.06)
    assert misses(slow, page=0.02) == [
        "the 99th percentile of pages is more than 1.5 times as long during a flood",
        "at the 99th percentile, refusals took more than 50 ms",
    ]
    assert misses(slow, page=0.02, limits=dict.fromkeys(LIMITS, 0)) == []
