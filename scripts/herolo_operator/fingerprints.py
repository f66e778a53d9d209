"""Fingerprints of secrets, which Terraform's outputs record: the file of a deployment can be told from any other."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

NAMES = ("database_master_password", "database_migrate_password", "database_service_password", "token_keys")


REPLACED = "replaced"  # beside the names: the fingerprints of former secrets, the newest first
KEPT = 20


def take_fingerprints(values: Mapping[str, str], recorded: Mapping[str, str]) -> dict[str, str]:
    """By name. A secret that is unchanged keeps its recorded fingerprint, so that Terraform has nothing to change."""
    changed = [name for name in NAMES if not _matches(values[name], recorded.get(name, ""))]
    former = [recorded[name] for name in changed if name in recorded] + recorded.get(REPLACED, "").split()
    former = [one for one in former if not any(_matches(values[name], one) for name in NAMES)][:KEPT]
    taken = {name: _take(values[name]) if name in changed else recorded[name] for name in NAMES}
    return {**taken, REPLACED: " ".join(former)} if former else taken


def find_replaced(values: Mapping[str, str], recorded: Mapping[str, str]) -> list[str]:
    """The names of secrets that are former ones: the file is older than the deployment."""
    former = recorded.get(REPLACED, "").split()
    return [name for name in NAMES if any(_matches(values[name], one) for one in former)]


def is_of_deployment(values: Mapping[str, str], recorded: Mapping[str, str]) -> bool:
    """Whether at least one secret is as recorded: after a change of some of them, others still are. During a rotation
    of all of them, the one that is being replaced counts, `old_NAME`."""
    candidates = ((name, values.get(former)) for name in NAMES for former in (name, f"old_{name}"))
    return not recorded or any(value and _matches(value, recorded.get(name, "")) for name, value in candidates)


def _take(value: str, salt: str = "") -> str:
    """A salted hash, which reveals nothing about 32 random characters."""
    salt = salt or secrets.token_hex(16)
    return f"{salt}:{hashlib.sha256(f'{salt}:{value}'.encode()).hexdigest()}"


def _matches(value: str, fingerprint: str) -> bool:
    salt = fingerprint.partition(":")[0]
    return bool(salt) and hmac.compare_digest(_take(value, salt), fingerprint)
