"""Names of environments, and the settings from environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from herolo_operator.console import Failure
from herolo_operator.environment import Environment, Options, choose_environment


@pytest.mark.parametrize("name", ["prod", "a", "eu-2", "a" * 20])
def test_a_short_word_is_a_name(name: str, tmp_path: Path) -> None:
    assert choose_environment(name, tmp_path) == Environment(name, tmp_path.resolve())


@pytest.mark.parametrize(
    "name", ["", "../prod", "Prod", "a--b", "-a", "a-", "1a", "a" * 21, "a b", "prod\n", "example"]
)
def test_anything_else_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="such as prod"):
        choose_environment(name, tmp_path)


def test_a_missing_form_comes_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"cp environments/example\.tfvars environments/prod\.tfvars"):
        Environment("prod", tmp_path).require_form()


def test_a_mistyped_name_comes_with_the_existing_forms(tmp_path: Path) -> None:
    for name in ("example", "prod", "trial"):
        (tmp_path / f"{name}.tfvars").touch()
    with pytest.raises(Failure, match=r"select an existing form with ENV=prod or ENV=trial$"):
        Environment("prdo", tmp_path).require_form()


def test_empty_variables_are_absent() -> None:
    assert Options.read({"YES": "", "TAIL": "", "HEROLO_INFRA": ""}) == Options()


def test_variables_are_read() -> None:
    options = Options.read({"YES": "1", "CMD": "id -u", "HEROLO_SSH_PORT": "2222"})
    assert (options.yes, options.command, options.ssh_port) == (True, "id -u", "2222")


def test_relative_paths_are_those_of_the_callers_folder(tmp_path: Path) -> None:
    variables = {"SSH_KEY": "keys/mine", "HEROLO_ENVIRONMENTS": "forms", "HEROLO_SETTINGS": "/etc/settings.json"}
    options = Options.read(variables, tmp_path)
    assert (options.ssh_key, options.environments) == (str(tmp_path / "keys/mine"), tmp_path / "forms")
    assert options.settings == "/etc/settings.json"


@pytest.mark.parametrize(
    ("given", "read"), [("1", True), ("true", True), ("0", False), ("no", False), ("FALSE", False)]
)
def test_a_question_is_skipped_only_if_that_is_meant(given: str, read: bool) -> None:
    assert Options.read({"YES": given}).yes is read


def test_an_acknowledgement_is_a_number() -> None:
    assert Options.read({"ACKNOWLEDGE": "2"}).acknowledge == "2"
    with pytest.raises(Failure, match=r"^ACKNOWLEDGE='x' is not the number .*, such as ACKNOWLEDGE=2$"):
        Options.read({"ACKNOWLEDGE": "x"})


def test_what_is_neither_yes_nor_no_is_refused() -> None:
    with pytest.raises(Failure, match=r"^YES='prod' is neither YES=1 nor YES=0$"):
        Options.read({"YES": "prod"})
