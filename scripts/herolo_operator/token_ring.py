"""The ring of token keys, and how a key is replaced without ending a session: the new key first verifies tokens on
every replica, then signs them; the old one verifies until the last token that it signed has expired."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from .console import step
from .environment import Environment
from .secrets_file import change_lines, new_key, read_lines

MARGIN = timedelta(hours=1)  # for clocks that differ: this machine's, another operator's, the host's


@dataclass(frozen=True)
class TokenRing:
    """The keys, of which the first signs, and the state of a rotation."""

    keys: tuple[str, ...]
    new: str = ""  # the id of a new key, until it is certain that it signs on every replica
    old: tuple[str, ...] = ()  # the ids of keys that have ceased to sign
    until: datetime | None = None  # when the last token of the old keys has expired

    @classmethod
    def read(cls, lines: Mapping[str, str]) -> TokenRing:
        """From lines of the secrets file."""
        old, _, until = lines.get("old_token_keys", "").partition(" ")
        return cls(
            keys=tuple(lines["token_keys"].split(",")),
            new=lines.get("new_token_key", ""),
            old=tuple(old.split(",")) if old else (),
            until=datetime.fromisoformat(until) if until else None,
        )

    @property
    def lines(self) -> dict[str, str | None]:
        """For the secrets file."""
        old = f"{','.join(self.old)} {self.until.isoformat(timespec='seconds')}" if self.old and self.until else None
        return {"token_keys": ",".join(self.keys), "new_token_key": self.new or None, "old_token_keys": old}

    @property
    def signs_with_new(self) -> bool:
        """Whether the new key is the first."""
        return bool(self.new) and _id(self.keys[0]) == self.new

    def with_new_key(self) -> TokenRing:
        """A new key is the last, which only verifies. A rotation that was interrupted goes on with its own."""
        if self.new in map(_id, self.keys):
            return self
        numbers = [int(found.group(1)) for key in self.keys if (found := re.fullmatch(r"k(\d+)", _id(key)))]
        kid = f"k{max(numbers, default=0) + 1}"
        return replace(self, keys=(*self.keys, new_key(kid)), new=kid)

    def signing_with_new_key(self) -> TokenRing:
        """The new key is the first. Every replica must know it already."""
        return replace(self, keys=tuple(sorted(self.keys, key=lambda key: _id(key) != self.new)))

    def rotated(self, now: datetime, lifetime: timedelta) -> TokenRing:
        """The new key signs on every replica, so no token of another one is valid for longer than a lifetime."""
        others = tuple(_id(key) for key in self.keys[1:])
        return replace(self, new="", old=others, until=now + lifetime + MARGIN)

    def without_expired(self, now: datetime) -> TokenRing:
        """Without the old keys once their tokens have expired. A key that signs stays in any case."""
        if not self.until or now < self.until:
            return self
        kept = tuple(key for key in self.keys[1:] if _id(key) not in self.old)
        return replace(self, keys=(self.keys[0], *kept), old=(), until=None)


def remove_expired_keys(environment: Environment) -> None:
    """Removes keys whose last token has expired from the secrets file, for the deployment that follows."""
    ring = TokenRing.read(read_lines(environment))
    if (kept := ring.without_expired(datetime.now(UTC))) != ring:
        step(f"removing the token key {', '.join(ring.old)}, whose tokens have expired")
        change_lines(environment, kept.lines)


def _id(key: str) -> str:
    return key.partition(":")[0]
