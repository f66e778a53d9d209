"""Runs the snippets of the guide for API consumers and compares what they print with what the guide shows.

The snippets of a language are one session from the top of the guide to its end, on a database of their own. A block of
`text` is what each of the snippets right above it prints; a snippet without one prints nothing. In it

- a line that begins with a blank goes on from the one before,
- a time stands for any time, and `…` for some characters without a blank or a quote.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode

from line import Line

# How the guide calls the service's address; once in each language.
PUBLISHED_URL = "https://herolo.example.com"
# Whose web pages may use the API, as the guide says.
PUBLISHED_ORIGIN = "https://app.example.com"
# Between what two snippets print: ASCII's record separator, which nothing prints.
SEPARATOR = "\x1e"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
# What a session and what a start may take, in seconds: more means that it hangs.
PATIENCE = 300


@dataclasses.dataclass
class Language:
    suffix: str
    separator: str
    # What the line between client and service must have done to it, or its snippets prove less than they say.
    faults: set[str]


LANGUAGES = {
    "sh": Language("sh", f"printf '{SEPARATOR}'\n", {"lost", "refused"}),
    "python": Language("py", f"print({SEPARATOR!r}, end='', flush=True)\n", {"lost", "refused", "cut"}),
    "js": Language("mjs", f"process.stdout.write({SEPARATOR!r});\n", {"lost", "refused", "cut"}),
}


@dataclasses.dataclass
class Snippet:
    language: str
    line: int
    code: str
    output: str = ""


def read(guide: str) -> tuple[list[Snippet], int]:
    """The snippets with their outputs, and how many blocks of output there are."""
    snippets: list[Snippet] = []
    waiting: list[Snippet] = []  # for their output, if one follows
    outputs = 0
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
                raise SystemExit(f"error: line {number}: this output is no snippet's")
            outputs += 1
            for snippet in waiting:
                snippet.output = block
            waiting = []
        elif kind in LANGUAGES:
            snippet = Snippet(kind, number, block)
            snippets.append(snippet)
            waiting.append(snippet)
        else:
            raise SystemExit(f"error: line {number}: a block of '{kind}' would not be run")
    return snippets, outputs


def pattern(output: str) -> str:
    """What a real output must match."""
    joined = re.sub(r"\n[ \t]+", "", output)
    parts = re.split(f"({TIME}|…)", joined)
    others = {"…": r"""[^\s"']+"""}
    return "".join(re.escape(part) if index % 2 == 0 else others.get(part, TIME) for index, part in enumerate(parts))


def script(snippets: list[Snippet], url: str) -> str:
    """The program that a reader would have typed, with a separator after each snippet."""
    end = LANGUAGES[snippets[0].language].separator
    code = "".join(snippet.code + end for snippet in snippets)
    if code.count(PUBLISHED_URL) != 1:
        raise SystemExit(f"error: {snippets[0].language} must name {PUBLISHED_URL} once, where readers put their own")
    return code.replace(PUBLISHED_URL, url)


def clean_environment() -> dict[str, str]:
    """Without settings and proxies of whoever runs this."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")}
    return {**kept, "no_proxy": "127.0.0.1"}


@contextlib.contextmanager
def running_service(options: argparse.Namespace, database: str, log: pathlib.Path):
    """The service on a migrated database; its port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    password = os.environ["GUIDE_DATABASE_PASSWORD"]
    environment = {
        **clean_environment(),
        "HEROLO_PORT": str(port),
        "HEROLO_DATABASE_URL": f"mysql://root:{password}@127.0.0.1:{options.database_port}/{database}"
        "?ssl-mode=REQUIRED",
        "HEROLO_TOKEN_KEYS": f"guide:{b64encode(secrets.token_bytes(32)).decode()}",
        "HEROLO_CORS_ORIGINS": PUBLISHED_ORIGIN,
    }
    with log.open("w") as output:
        common = {"env": environment, "stdout": output, "stderr": output, "cwd": options.folder}
        subprocess.run([options.binary, "migrate"], check=True, **common)
        service = subprocess.Popen([options.binary, "serve"], **common)
        try:
            await_ready(f"http://127.0.0.1:{port}/readyz", service)
            yield port
        finally:
            service.send_signal(signal.SIGINT)
            service.wait()


def await_ready(url: str, service: subprocess.Popen) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE
    while service.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, OSError), opener.open(url, timeout=10):
            return
        time.sleep(0.1)
    raise RuntimeError("the service does not start")


def run(language: str, snippets: list[Snippet], options: argparse.Namespace) -> tuple[list[str], int]:
    """Runs the session of a language. What is wrong, and how many snippets have run to their end."""
    folder = options.folder / language
    folder.mkdir()
    interpreters = {
        "sh": ["bash", "--noprofile", "--norc"],
        "python": [sys.executable, "-u", "-W", "error"],
        "js": [options.node],
    }
    log = folder / "service.log"
    with running_service(options, f"guide_{language}", log) as port, Line(port) as line:
        program = folder / f"session.{LANGUAGES[language].suffix}"
        program.write_text(script(snippets, f"http://127.0.0.1:{line.server_address[1]}"))
        printed, end = play([*interpreters[language], program], folder)
        missing = LANGUAGES[language].faults - set(line.faults)
    wrong, count = compare(snippets, printed)
    if end:
        wrong.append(f"{language}: {end}")
    if missing:
        wrong.append(f"{language}: the bad line has never {' or '.join(sorted(missing))} anything")
    if wrong:
        wrong[-1] += f"\n\nThe service's last words in {language}:\n" + "".join(log.read_text().splitlines(True)[-5:])
    return wrong, count


def play(command: list, folder: pathlib.Path) -> tuple[str, str]:
    """Runs a session in this folder. What it prints, and what is wrong with how it ends."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=clean_environment(),
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired as fault:
        return (fault.output or b"").decode(), f"the session does not end in {PATIENCE} s"
    return done.stdout.decode(), f"the session ends with status {done.returncode}" if done.returncode else ""


def compare(snippets: list[Snippet], printed: str) -> tuple[list[str], int]:
    wrong = []
    *outputs, rest = printed.split(SEPARATOR)
    for snippet, real in zip(snippets, outputs):
        if not re.fullmatch(pattern(snippet.output), real):
            wrong.append(f"{place(snippet)}: it says\n{snippet.output}but what is printed is\n{real}")
    if len(outputs) < len(snippets):
        wrong.append(f"{place(snippets[len(outputs)])}: it does not run to its end:\n{rest}")
        wrong += [f"{place(snippet)}: it is not run" for snippet in snippets[len(outputs) + 1 :]]
    elif rest:
        wrong.append(f"after the last snippet of {snippets[0].language}:\n{rest}")
    return wrong, len(outputs)


def place(snippet: Snippet) -> str:
    return f"docs/api.md, line {snippet.line} ({snippet.language})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--guide", type=pathlib.Path, required=True)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--database-port", type=int, required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    # Told to end, it unwinds as after Ctrl-C, and ends the services.
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    guide = options.guide.read_text()
    snippets, outputs = read(guide)
    fences = sum(line.startswith("```") for line in guide.splitlines())
    sessions = {language: [one for one in snippets if one.language == language] for language in LANGUAGES}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda item: run(*item, options), sessions.items()))
    wrong = [text for texts, _ in results for text in texts]
    counts = {language: count for language, (_, count) in zip(sessions, results)}
    if fences != 2 * (len(snippets) + outputs):
        wrong.append(f"{fences} fences do not enclose {len(snippets)} snippets and {outputs} outputs")
    print(*wrong, sep="\n\n", end="\n\n" if wrong else "")
    each = ", ".join(f"{counts[language]} of {len(session)} in {language}" for language, session in sessions.items())
    print(
        f"{sum(counts.values())} of {len(snippets)} snippets ran ({each}), "
        f"{outputs} outputs compared, {len(wrong)} wrong"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
