"""The secrets of an environment, one in a line of a document, whose home is a file or SSM. Missing secrets are
generated, others kept, so this can be repeated. To change secrets while the service runs, see rotate.py."""

from __future__ import annotations

import base64
import re
import secrets
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .console import Failure, step
from .environment import Environment
from .form import setting_of, setting_or_default
from .secrets_home import home_of, is_in_ssm

PASSWORD = r"[A-Za-z0-9]{32}"
KEY_ID = r"[A-Za-z0-9_-]+"
KEY = rf"{KEY_ID}:[A-Za-z0-9+/]{{43}}="
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
SMTP_PART = r"[^\s\"\\{}/?@:]+"
SMTP_URL = rf"smtps?://({SMTP_PART}:{SMTP_PART}@)?[A-Za-z0-9.-]+(:\d+)?(\?tls=none)?"
SMTP_PORTS = {"smtps": "465", "smtp": "587"}  # if the URL has none
DUCKDNS_TOKEN = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def new_password() -> str:
    """32 random letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))


def new_key(kid: str) -> str:
    """A token key of 32 random bytes, as HEROLO_TOKEN_KEYS takes it."""
    return f"{kid}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _new_token_keys() -> str:
    return new_key("k1")


@dataclass(frozen=True)
class Secret:
    """A line of the file: what it must look like, and how a new one is made."""

    name: str
    pattern: str
    explanation: str
    generate: Callable[[], str]


SECRETS = (
    Secret("database_master_password", PASSWORD, "32 letters and digits", new_password),
    Secret("database_migrate_password", PASSWORD, "32 letters and digits", new_password),
    Secret("database_service_password", PASSWORD, "32 letters and digits", new_password),
    Secret(
        "token_keys", f"{KEY}(,{KEY})*", 'keys such as "k1:<base64 of 32 bytes>", the newest first', _new_token_keys
    ),
    Secret("duckdns_token", f"({DUCKDNS_TOKEN})?", 'the token that duckdns.org shows you, or ""', str),
    Secret("smtp_url", f"({SMTP_URL})?", 'the URL of a mail server, such as "smtps://user:password@host", or ""', str),
)


@dataclass(frozen=True)
class Entered:
    """A secret that cannot be generated: the operator enters it, if the form needs it."""

    name: str
    setting: str  # of the form, which decides whether it is needed
    is_needed: Callable[[str], bool]  # for that value of the setting
    fix: str


ENTERED = (
    Entered(
        "duckdns_token",
        "dns_provider",
        lambda provider: provider == "duckdns",
        "enter the token that duckdns.org shows you when you have logged in",
    ),
    Entered(
        "smtp_url",
        "mail_from",
        bool,
        "enter the URL of the mail server that sends from mail_from, with user and password percent-encoded",
    ),
)
DATABASE_PASSWORDS = tuple(secret.name for secret in SECRETS if secret.pattern == PASSWORD)
# Lines that `rotate` adds for a while.
NOTES = (
    *(Secret(f"old_{name}", PASSWORD, "32 letters and digits", str) for name in DATABASE_PASSWORDS),
    Secret("new_token_key", KEY_ID, "the id of a key in token_keys", str),
    Secret("old_token_keys", f"{KEY_ID}(,{KEY_ID})* {TIME}", "ids of keys, and when their last token expires", str),
)


def provide_secrets(environment: Environment) -> None:
    """Generates what is missing; fails if a line is invalid."""
    environment.require_form()
    home = home_of(environment)
    text = home.read()
    if text is None:
        in_ssm = is_in_ssm(environment)
        for needed in find_needed(environment) if in_ssm else ():
            raise Failure(
                f'begin with secrets = "file", for {needed.name} to be entered there; with secrets = "ssm" the next '
                "'make deploy' moves them"
            )
        step(f"generating {home.shown}" + ("" if in_ssm else ": keep a copy of it in a safe place"))
        header = f"# The secrets of {environment.name}. Never commit or mail this file.\n---\n"
        text = home.create(header + _generate(SECRETS))
    missing = [secret for secret in SECRETS if find_line(text, secret, home.shown) is None]
    if missing:
        text += ("" if text.endswith("\n") or not text else "\n") + _generate(missing)
        home.write(text)
    require_entered(environment, text, home.shown)


def _generate(missing: Iterable[Secret]) -> str:
    return "".join(f'{secret.name}: "{secret.generate()}"\n' for secret in missing)


def find_line(text: str, secret: Secret, shown: str) -> str | None:
    """The value of the secret, or None if there is none; fails if it is invalid or given twice. The message never
    contains the value."""
    pattern = rf"\s*[\"']?{secret.name}[\"']?\s*:"
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if re.match(pattern, line)]
    if not lines:
        return None
    if len(lines) > 1:
        raise Failure(f"{shown}: {secret.name} is given more than once: remove the wrong line")
    number, line = lines[0]
    found = re.fullmatch(rf'{secret.name}: +"(?P<value>{secret.pattern})" *', line)
    if not found:
        raise Failure(
            f"{shown} line {number}: {secret.name} must be {secret.explanation}, in double quotes; remove the line "
            "to have a new one generated"
        )
    return found["value"]


def read_secrets(environment: Environment) -> dict[str, str]:
    """The secrets by name; fails if one is missing."""
    home, fix = home_of(environment), f"type 'scripts/operate secrets {environment.name}'"
    text = home.read()
    if text is None:
        raise Failure(f"there is no {home.shown}: {fix}")
    values = {secret.name: find_line(text, secret, home.shown) for secret in SECRETS}
    if values["smtp_url"] is None:
        values["smtp_url"] = ""  # a file from before mails were sent
    for name, value in values.items():
        if value is None:
            raise Failure(f"{home.shown} has no {name}: {fix}")
    return {name: value for name, value in values.items() if value is not None}


def read_lines(environment: Environment) -> dict[str, str]:
    """The secrets by name, and those lines of a rotation that are there."""
    home = home_of(environment)
    text = home.read() or ""
    notes = {note.name: find_line(text, note, home.shown) for note in NOTES}
    return {**read_secrets(environment), **{name: value for name, value in notes.items() if value is not None}}


def change_lines(
    environment: Environment, changes: Mapping[str, str | None], since: Mapping[str, str | None] | None = None
) -> None:
    """Replaces, adds or (None) removes lines, all at once. Fails if a line is no longer as it was in `since`: another
    operator has changed it."""
    home = home_of(environment)
    text = home.read() or ""
    known = {secret.name: secret for secret in (*SECRETS, *NOTES)}
    if any(find_line(text, known[name], home.shown) != value for name, value in (since or {}).items()):
        raise Failure(
            f"{home.shown} was changed by another operator meanwhile: wait until their command has ended, then run "
            "this again"
        )
    lines = text.splitlines()
    for name, value in changes.items():
        places = [n for n, line in enumerate(lines) if re.match(rf"{name}: ", line)]
        new = [] if value is None else [f'{name}: "{value}"']
        begin, end = (places[0], places[0] + 1) if places else (len(lines), len(lines))
        lines[begin:end] = new
    home.write("\n".join(lines) + "\n")


def forget_old_passwords(environment: Environment, used: Mapping[str, str]) -> None:
    """Removes what a rotation has kept beside the new passwords, once these lines are used everywhere. Those of a
    rotation that another operator has begun meanwhile stay."""
    lines = read_lines(environment)
    old = [f"old_{name}" for name in DATABASE_PASSWORDS if f"old_{name}" in lines]
    if old and all(lines.get(name) == used.get(name) for name in (*DATABASE_PASSWORDS, *old)):
        change_lines(environment, dict.fromkeys(old), since={name: lines[name] for name in old})


def is_duckdns_token(text: str) -> bool:
    """Whether it looks like one."""
    return re.fullmatch(DUCKDNS_TOKEN, text) is not None


def find_needed(environment: Environment) -> list[Entered]:
    """The secrets that the form needs and only the operator knows."""
    return [secret for secret in ENTERED if secret.is_needed(setting_of(environment, secret.setting))]


def require_entered(environment: Environment, text: str, shown: str) -> None:
    """Fails if the form needs a secret that is empty in the text."""
    for secret in find_needed(environment):
        for number, line in enumerate(text.splitlines(), 1):
            if re.fullmatch(rf'{secret.name}: +"" *', line):
                raise Failure(
                    f'{shown} line {number}: {secret.fix}: {secret.name}: "..."'
                    + (
                        " (in the file to which 'make deploy' moves them with secrets = \"file\")"
                        if is_in_ssm(environment)
                        else ""
                    )
                )
    _require_smtp_port(environment, text, shown)


def _require_smtp_port(environment: Environment, text: str, shown: str) -> None:
    """Fails if the firewall would not open the port of the mail server."""
    url = next((line for line in text.splitlines() if line.startswith("smtp_url:")), "")
    found = re.search(r'"(?P<scheme>smtps?)://[^"]*?(:(?P<port>\d+))?(\?tls=none)?"', url)
    if not found or not setting_of(environment, "mail_from"):
        return
    port, opened = found["port"] or SMTP_PORTS[found["scheme"]], setting_or_default(environment, "smtp_port")
    if port != opened:
        raise Failure(
            f"{shown}: smtp_url is for port {port}, but smtp_port is {opened}: set smtp_port = {port} in "
            f"{environment.shown(environment.form)}"
        )
