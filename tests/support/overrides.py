"""What an operator has confirmed and overridden."""

from herolo_operator.environment import Options
from herolo_operator.overrides import Override


def all_but(word: Override) -> Options:
    """Every question about prod is answered and every safeguard overridden, but that one."""
    others = (f"prod:{override}" for override in Override if override != word)
    return Options(yes=True, confirm="prod", override=",".join(others))
