"""DuckDNS's update API (https://www.duckdns.org/spec.jsp), for what the role `dns` does not do."""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
import urllib.request
from pathlib import Path

from .console import Failure
from .environment import REPOSITORY, Environment, Options
from .secrets_file import read_secrets

TIMEOUT = 20  # seconds


def clear_records(domain: str, environment: Environment, options: Options) -> None:
    """Removes the A and the AAAA record of the domain. (The API cannot remove one of them alone.)"""
    _update(domain, environment, options, clear="true")


def set_address(domain: str, address: str, environment: Environment, options: Options) -> None:
    """Sets the A record of the domain, and leaves its AAAA record as it is."""
    _update(domain, environment, options, ip=address)


def require_valid_token(token: str, domain: str, address: str, options: Options) -> None:
    """Fails unless DuckDNS accepts the token for the domain, to which it sets the address once more."""
    if not _is_accepted(domain, token, options, ip=address):
        raise Failure(
            f"DuckDNS does not accept that token for {domain}: copy it from www.duckdns.org and run this again; "
            "nothing was changed"
        )


def _update(domain: str, environment: Environment, options: Options, **parameters: str) -> None:
    if not _is_accepted(domain, read_secrets(environment)["duckdns_token"], options, **parameters):
        shown = environment.shown(environment.secrets)
        raise Failure(f"DuckDNS does not update {domain}: check that duckdns_token in {shown} is that of its account")


def _is_accepted(domain: str, token: str, options: Options, **parameters: str) -> bool:
    name = domain.removesuffix(".duckdns.org").rpartition(".")[2]
    query = urllib.parse.urlencode({"domains": name, "token": token, **parameters})
    try:
        with urllib.request.urlopen(f"{_url(options)}/update?{query}", timeout=TIMEOUT) as answer:
            return bool(answer.read().startswith(b"OK"))
    except (OSError, http.client.HTTPException) as error:  # neither has the URL, which contains the token
        raise Failure(f"DuckDNS does not update {domain}: {error}") from None


def _url(options: Options) -> str:
    """The setting of ansible/group_vars, which the file of settings may replace."""
    text = (REPOSITORY / "ansible/group_vars/all.yml").read_text(encoding="utf-8")
    found = re.search(r"^duckdns_url: (\S+)", text, re.MULTILINE)
    settings = json.loads(Path(options.settings).read_text(encoding="utf-8")) if options.settings else {}
    return str(settings.get("duckdns_url") or (found[1] if found else ""))
