"""Replaces secrets while the service runs. The secrets file always has what comes next: a run that was interrupted is
continued by the next one, and `deploy` brings whatever the file has to the host."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from .console import Failure, Refusal, ask, read_secret, say, step
from .deploy import Deployer
from .duckdns import require_valid_token
from .environment import Environment, Options
from .form import setting_of
from .history import Entry
from .secrets_file import DATABASE_PASSWORDS, NOTES, change_lines, is_duckdns_token, new_password, read_lines
from .secrets_home import home_of
from .token_ring import TokenRing

PARTS = {
    "database": "new passwords of its users; the old ones are refused once every replica has the new ones",
    "tokens": "a new key signs access tokens; tokens of the old key stay valid until they expire",
    "duckdns": "the token that you have made at www.duckdns.org, which is asked for",
}

SIGNS = "the new key signs tokens"


def choose_parts(what: str, environment: Environment) -> tuple[str, ...]:
    """The parts that WHAT names; without it, all."""
    with_duckdns = setting_of(environment, "dns_provider") == "duckdns"
    if not what:
        return tuple(part for part in PARTS if part != "duckdns" or with_duckdns)
    if what not in PARTS:
        raise Refusal(
            f"WHAT='{what}' cannot be rotated: it is database, tokens or duckdns, and without WHAT, all of them"
        )
    if what == "duckdns" and not with_duckdns:
        raise Refusal(
            f"{environment.name} has no DuckDNS token, because its dns_provider is another one: leave out WHAT=duckdns"
        )
    return (what,)


def rotate_secrets(environment: Environment, options: Options, entry: Entry) -> None:
    """Says what it will do, asks once, and does it."""
    parts = choose_parts(options.what, environment)
    deployer = Deployer(environment, options)
    step(f"rotating secrets of {environment.name}")
    entry.release = deployer.find_current_release(entry)
    if not options.what and (unfinished := _find_unfinished(read_lines(environment))):
        step("an earlier rotation was interrupted: this run finishes that one")
        parts = unfinished
    deployer.plan_secrets()
    say("\n" + "".join(f"  {part:<12} {PARTS[part]}\n" for part in parts))
    if not options.yes:
        ask(f"Rotate these secrets of {environment.name}? Type yes:", "yes")
    if "duckdns" in parts:
        _replace_duckdns_token(deployer, required=parts == ("duckdns",))
    if parts != ("duckdns",):
        _roll_out(deployer, parts, entry.release)
    shown = home_of(environment).shown
    step(f"the secrets of {environment.name} are rotated: keep a copy of the new {shown}, since older copies are void")


def _find_unfinished(lines: Mapping[str, str]) -> tuple[str, ...]:
    """The parts of an interrupted rotation that are not in use everywhere yet."""
    database = any(f"old_{name}" in lines for name in DATABASE_PASSWORDS)
    return (*(["database"] if database else []), *(["tokens"] if "new_token_key" in lines else []))


def _replace_duckdns_token(deployer: Deployer, *, required: bool) -> None:
    token = read_secret("The new DuckDNS token (nothing keeps the old one):")
    if not token and not required:
        step("the DuckDNS token is kept")
        return
    if not is_duckdns_token(token):
        raise Failure("that is not a DuckDNS token: copy it from www.duckdns.org, a UUID in lower case")
    deployment = deployer.deployment()
    require_valid_token(token, deployment.domain, deployment.addresses[0], deployer.options)
    change_lines(deployer.environment, {"duckdns_token": token})
    step("DuckDNS accepts the new token, and the secrets file has it")


def _roll_out(deployer: Deployer, parts: tuple[str, ...], release: str) -> None:
    environment = deployer.environment
    lines = read_lines(environment)
    since = {**{note.name: None for note in NOTES}, **lines}
    ring = TokenRing.read(lines)
    changes = _replace_passwords(lines) if "database" in parts else {}
    if "tokens" in parts:
        ring = ring.without_expired(_now()).with_new_key()
        changes |= ring.lines
    change_lines(environment, changes, since)
    effects = {
        "database": "the new passwords",
        "tokens": SIGNS if ring.signs_with_new else "the new key verifies tokens",
    }
    step("rolling out: " + " and ".join(effects[part] for part in parts if part in effects))
    deployer.roll_out_secrets(release)
    if "tokens" not in parts:
        return
    if not ring.signs_with_new:
        since, ring = ring.lines, ring.signing_with_new_key()
        change_lines(environment, ring.lines, since)
        step(f"rolling out: {SIGNS}")
        deployer.roll_out_secrets(release)
    since, ring = ring.lines, ring.rotated(_now(), timedelta(seconds=deployer.find_token_lifetime()))
    change_lines(environment, ring.lines, since)
    step(f"'make rotate' or 'make deploy' removes the key {', '.join(ring.old)} after {ring.until:%Y-%m-%d %H:%M} UTC")


def _replace_passwords(lines: Mapping[str, str]) -> dict[str, str | None]:
    """New passwords beside the old ones, unless a rotation that was interrupted has made them."""
    if "database" in _find_unfinished(lines):
        return {}
    changes: dict[str, str | None] = {}
    for name in DATABASE_PASSWORDS:
        changes |= {name: new_password(), f"old_{name}": lines[name]}
    return changes


def _now() -> datetime:
    return datetime.now(UTC)
