"""Who runs a command, where and when, for locks and the history."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime


def current_user() -> str:
    """The name of the user, or the number if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def current_host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def current_time() -> str:
    """In UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
