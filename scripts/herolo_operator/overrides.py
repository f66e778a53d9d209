"""What the operator can allow although a safeguard refuses it: each safeguard by a word of its own, for one
environment. OVERRIDE=prod:new-secrets allows that and nothing else; several are separated by commas."""

from __future__ import annotations

from enum import StrEnum

from .console import Failure
from .environment import Environment, Options


class Override(StrEnum):
    """The word of each safeguard."""

    EMPTY_DATABASE = "empty-database"  # in place of one that AWS does not have
    NEW_SECRETS = "new-secrets"  # in place of all that are deployed
    OLDER_SECRETS = "older-secrets"  # than those that are deployed
    NEW_RESOURCES = "new-resources"  # beside those that a lost state does not know
    OLDER_VERSION = "older-version"  # of Herolo than the one that has deployed

    def is_given(self, environment: Environment, options: Options) -> bool:
        """Whether the operator allows this, for this environment."""
        return f"{environment.name}:{self}" in options.override.split(",")

    def shown(self, environment: Environment) -> str:
        """What the operator has to type, as messages show it."""
        return f"OVERRIDE={environment.name}:{self}"


def check_overrides(environment: Environment, options: Options) -> None:
    """Fails if OVERRIDE has what overrides no safeguard of this environment, and would be ignored."""
    known = [f"{environment.name}:{override}" for override in Override]
    for given in options.override.split(",") if options.override else ():
        if given not in known:
            raise Failure(
                f"OVERRIDE has '{given}', which overrides no safeguard of {environment.name}: leave it out, or give "
                f"{environment.name}:WORD as the message of the safeguard shows it ({', '.join(Override)})"
            )
