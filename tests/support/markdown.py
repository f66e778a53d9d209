"""Tables in Markdown, and documents of which a program writes parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

END = "<!-- end -->"


def heading(names: Iterable[object]) -> Iterator[str]:
    """The first lines of a table."""
    names = list(names)
    yield row(names)
    yield "|" + "---|" * len(names)


def row(cells: Iterable[object]) -> str:
    """A line of a table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def replaced(text: str, begin: str, lines: Iterable[str], document: object) -> str:
    """The text with these lines between the line `begin` and the next end. `document` is its name, for the error."""
    new = "\n".join((begin, "", *lines, END))
    text, found = re.subn(f"{re.escape(begin)}\n.*?{re.escape(END)}", lambda _: new, text, flags=re.DOTALL)
    if found != 1:
        raise SystemExit(f"error: {document} has {found} times the line '{begin}', not once")
    return text
