"""The code blocks of the guide for API consumers: snippets, and the outputs that the guide shows below them.

A block of `text` is the output of each snippet directly above it; a snippet without one prints nothing. In an output

- a line that begins with a blank continues the previous line,
- a time stands for any time, and `…` for some characters other than blanks and quotes.

The block of `bash` in the introduction is the command that starts a service for the guide. The tests take its settings.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import shlex

LANGUAGES = ("sh", "python", "js")
START = "bash"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@dataclasses.dataclass
class Snippet:
    """A code block that a reader runs."""

    language: str
    line: int
    code: str
    output: str = ""

    def __str__(self) -> str:
        return f"{self.language}-line-{self.line}"

    def prints(self, printed: str) -> bool:
        """Whether this is what the guide shows as the output."""
        return re.fullmatch(pattern(self.output), printed) is not None


def read(guide: str) -> tuple[list[Snippet], int, dict[str, str]]:
    """The snippets with their outputs, the number of output blocks, and the settings of the service."""
    snippets: list[Snippet] = []
    waiting: list[Snippet] = []  # for their output, if one follows
    outputs = 0
    settings: dict[str, str] = {}
    lines = enumerate(guide.splitlines(), 1)
    for number, line in lines:
        if not line.startswith("```"):
            if line.strip():
                waiting = []
            continue
        kind = line.removeprefix("```")
        block = "".join(f"{text}\n" for _, text in itertools.takewhile(lambda each: each[1] != "```", lines))
        if kind == "text":
            if not waiting:
                raise ValueError(f"line {number}: this output belongs to no snippet: move it directly below one")
            outputs += 1
            for snippet in waiting:
                snippet.output = block
            waiting = []
        elif kind in LANGUAGES:
            snippet = Snippet(kind, number, block)
            snippets.append(snippet)
            waiting.append(snippet)
        elif kind == START and not (snippets or settings):
            settings = settings_of(block)
        else:
            raise ValueError(f"line {number}: a block of '{kind}' is not tested: use {', '.join(LANGUAGES)} or text")
    return snippets, outputs, settings


def settings_of(command: str) -> dict[str, str]:
    """The settings that a command `make run NAME=VALUE...` hands to the service."""
    make, target, *words = shlex.split(command.replace("\\\n", ""))
    settings = dict(word.split("=", 1) for word in words)
    if (make, target) != ("make", "run") or not all(name.startswith("HEROLO_") for name in settings):
        raise ValueError(f"the service of the guide is started by 'make run HEROLO_NAME=VALUE...', not by: {command}")
    return settings


def pattern(output: str) -> str:
    """The regular expression that a printed output must match."""
    joined = re.sub(r"\n[ \t]+", "", output)
    parts = re.split(f"({TIME}|…)", joined)
    others = {"…": r"""[^\s"']+"""}
    return "".join(re.escape(part) if index % 2 == 0 else others.get(part, TIME) for index, part in enumerate(parts))
