"""Moves the secrets of an environment to where its form wants them. The former copy is kept, and named."""

from __future__ import annotations

import os

from .console import Failure, ask, step
from .environment import Environment, Options
from .secrets_home import Home, SecretsFile, SecretsParameter, is_in_ssm


def move_secrets(environment: Environment, options: Options) -> None:
    """Asks before it moves anything. An interrupted move goes on when this is repeated."""
    file, parameter = SecretsFile(environment), SecretsParameter(environment)
    if is_in_ssm(environment):
        if os.path.lexists(environment.secrets):
            _move_to_ssm(file, parameter, environment, options)
    elif not os.path.lexists(environment.secrets) and _may_be_deployed(environment):
        _move_to_file(parameter, file, environment, options)


def _move_to_ssm(file: SecretsFile, parameter: SecretsParameter, environment: Environment, options: Options) -> None:
    text, there = file.read() or "", parameter.read()
    if there is not None and there != text:
        return  # which the home refuses
    if there is None:
        _confirm(file, parameter, environment, options)
        _require_same(parameter.create(text), text, parameter)
    step(
        f"the secrets are in {parameter.shown} now; {file.put_aside()} is their former copy, no longer used: remove it "
        "once a second operator has read them"
    )


def _move_to_file(parameter: SecretsParameter, file: SecretsFile, environment: Environment, options: Options) -> None:
    try:
        text = parameter.read()
    except Failure:
        return  # without the permission to read it, the secrets are not in SSM
    if text is None:
        return
    _confirm(parameter, file, environment, options)
    file.write(text)
    _require_same(file.read(), text, file)
    step(
        f"the secrets are in {file.shown} now: keep a copy of it. {parameter.shown} is no longer used; "
        f"'{parameter.removal}' removes it"
    )


def _confirm(source: Home, target: Home, environment: Environment, options: Options) -> None:
    if not options.yes:
        ask(f"Move the secrets of {environment.name} from {source.shown} to {target.shown}? Type yes:", "yes")


def _require_same(there: str | None, text: str, target: Home) -> None:
    if there != text:
        raise Failure(f"{target.shown} has other secrets than those that were written: run this again")


def _may_be_deployed(environment: Environment) -> bool:
    return environment.state.is_file() or environment.s3_backend.is_file()
