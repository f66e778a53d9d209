"""Answers that tell what exists are found: by their contents, and by their times."""

from __future__ import annotations

import statistics
import types

from endure.enumeration import Answers, Question, ask_pair, is_known, judge

LIMITS = {"pairs": 1000, "median-limit": 0.01, "distribution-limit": 0.01}


def asked(known: tuple[int, str], unknown: tuple[int, str]) -> list[str]:
    """The differences between two answers, of which each is a status and a text."""
    answers, told = Answers(404), {"known": known, "ghost": unknown}
    asker = types.SimpleNamespace(ask=lambda question: (0.1, *told[question.path]))
    ask_pair(asker, lambda exists: Question("GET", "known" if exists else "ghost"), answers)
    return answers.differences


def misses(known: list[float], unknown: list[float], limits: dict[str, float] = LIMITS) -> list[str]:
    """What is told of these times."""
    return judge({"sign-in": Answers(401, {True: known, False: unknown})}, limits, 1).misses


def times(median: float, spread: float) -> list[float]:
    """A thousand times, in seconds, which are normally distributed."""
    return statistics.NormalDist(median, spread).quantiles(n=1001)


def test_equal_answers_are_accepted() -> None:
    """Whatever they say."""
    assert asked((404, "not found"), (404, "not found")) == []


def test_different_answers_are_told() -> None:
    """And so are equal ones that the API does not have."""
    assert asked((404, "not found"), (404, "not yours")) == ["not found / not yours"]
    assert asked((503, ""), (503, "")) == ["the status is 503, not 404"] * 2


def test_equal_times_are_accepted() -> None:
    """They spread as those of a service do."""
    assert misses(times(0.1, 0.002), times(0.1001, 0.002)) == []


def test_different_times_are_told() -> None:
    """In their median, or only in how they spread."""
    assert misses(times(0.102, 0.002), times(0.1, 0.002)) == [
        "sign-in: the medians are more than 1% apart",
        "sign-in: the times are of different distributions",
    ]
    assert misses(times(0.1, 0.004), times(0.1, 0.002)) == ["sign-in: the times are of different distributions"]
    unlimited = {**LIMITS, "median-limit": 0, "distribution-limit": 0}
    assert misses(times(0.102, 0.002), times(0.1, 0.002), unlimited) == []


def test_more_pairs_do_not_make_the_test_of_the_distributions_stricter() -> None:
    """A difference that it does not find in a thousand, it finds in a hundred thousand."""
    known, unknown = times(0.1001, 0.002), times(0.1, 0.002)
    assert misses(100 * known, 100 * unknown) == []
    assert misses(100 * known, 100 * unknown, {**LIMITS, "pairs": 100_000}) == [
        "sign-in: the times are of different distributions"
    ]


def test_questions_go_on_until_the_medians_are_known() -> None:
    """A thousand times that spread by a tenth leave the median unknown by more than half a hundredth."""
    narrow, wide = times(0.1, 0.002), times(0.1, 0.02)
    assert is_known(Answers(401, {True: narrow, False: narrow}), 0.01)
    assert not is_known(Answers(401, {True: narrow, False: wide}), 0.01)
    assert is_known(Answers(401, {True: wide, False: wide}), 0)


def test_the_uncertainty_of_medians_is_that_of_chance() -> None:
    """Pairs of samples differ by more in about one case of twenty."""
    beyond = 0
    for seed in range(200):
        both = [statistics.NormalDist(1, 0.1).samples(400, seed=2 * seed + number) for number in range(2)]
        answers = Answers(401, {True: both[0], False: both[1]})
        known, unknown = answers.medians()
        beyond += abs(known - unknown) / min(known, unknown) > answers.uncertainty()
    assert 2 <= beyond <= 22, beyond
