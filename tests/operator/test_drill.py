"""What the report of a drill says, and that its database is removed."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from herolo_operator.console import Failure
from herolo_operator.drill import Drill, describe_cost_of
from herolo_operator.environment import Environment
from herolo_operator.prices import load_prices

DATABASE = {"instance_class": "db.t4g.micro", "allocated_storage": 100, "multi_az": False}


def test_the_cost_is_that_of_the_database_for_the_time_that_it_existed() -> None:
    # Ten hours of db.t4g.micro, and of 100 GiB.
    assert describe_cost_of(DATABASE, 36_000, load_prices("eu-central-1")) == "about 0.38 USD"


@pytest.mark.parametrize("seconds", [0, 90])
def test_the_least_that_is_said_is_a_cent(seconds: int) -> None:
    assert describe_cost_of(DATABASE, seconds, load_prices("eu-central-1")) == "about 0.01 USD"


def test_a_price_that_is_not_known_is_named() -> None:
    assert "no price of: database, db.t4g.micro" in describe_cost_of(DATABASE, 90, load_prices("sa-east-1"))


@pytest.fixture
def drill(environment: Environment) -> Any:
    """A drill that only notes what it removes."""
    cloud = SimpleNamespace(state=lambda: SimpleNamespace(databases={"drill-1": {}}))
    drill: Any = object.__new__(Drill)
    drill.environment, drill.cloud, drill.removed = environment, cloud, []
    drill._remove = lambda _, names: drill.removed.extend(names)
    return drill


@pytest.mark.parametrize(
    "error", [None, Failure("no"), ValueError("no document"), OSError("the disk is full")], ids=str
)
def test_the_database_is_removed_whatever_fails(drill: Any, error: Exception | None) -> None:
    with contextlib.suppress(Failure, ValueError, OSError), drill._removing("drill-1"):
        if error:
            raise error
    assert drill.removed == ["drill-1"]


def test_a_database_that_an_interruption_leaves_is_named(drill: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), drill._removing("drill-1"):
        raise KeyboardInterrupt
    assert drill.removed == []
    assert "herolo-prod-drill-1 is left, which costs money: 'make restore-finish ENV=prod'" in capsys.readouterr().err
