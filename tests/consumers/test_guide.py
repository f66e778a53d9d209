"""Every snippet of the guide for API consumers, docs/api.md, prints what the guide shows.

The snippets run as by a reader, against the real service on a real MySQL. Those of a language are one session from the
top of the guide to its end, on a database of its own; the three sessions run at the same time.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator

import pytest
from consumers.guide import LANGUAGES, Snippet, read
from consumers.session import Session, playing
from support.services import DIRECT, REPOSITORY, Service

GUIDE = (REPOSITORY / "docs/api.md").read_text()
SNIPPETS, OUTPUTS, SETTINGS = read(GUIDE)
# The faults that a session must meet, or its snippets prove less than the guide says of them.
FAULTS = {"sh": {"lost", "refused"}, "python": {"lost", "refused", "cut"}, "js": {"lost", "refused", "cut"}}


@pytest.fixture(scope="module")
def services(start_service: Callable[..., Service]) -> dict[str, Service]:
    """A service for each language, so that each begins with the same ids and names. Their settings are the guide's."""
    return {language: start_service(f"guide_{language}", SETTINGS) for language in LANGUAGES}


@pytest.fixture(scope="module")
def sessions(services: dict[str, Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    """The ended session of each language."""
    with contextlib.ExitStack() as stack:
        started = {}
        for language, service in services.items():
            snippets = [snippet for snippet in SNIPPETS if snippet.language == language]
            folder = tmp_path_factory.mktemp(f"session-{language}")
            started[language] = stack.enter_context(playing(snippets, service.port, folder))
        for session in started.values():
            session.finish()
        yield started


def test_every_code_block_is_a_snippet_or_an_output() -> None:
    """No block is left out because its fences are not found. One more is the command that starts the service."""
    fences = sum(line.lstrip().startswith("```") for line in GUIDE.splitlines())
    assert fences == 2 * (len(SNIPPETS) + OUTPUTS + 1)
    assert SETTINGS


def test_the_guide_has_snippets_and_outputs_in_each_language() -> None:
    """An empty guide would pass all other tests."""
    for language in LANGUAGES:
        assert any(snippet.language == language and snippet.output for snippet in SNIPPETS), language


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_a_snippet_prints_what_the_guide_shows(snippet: Snippet, sessions: dict[str, Session]) -> None:
    """A snippet that fails ends its session, so that none of those below it run."""
    session = sessions[snippet.language]
    printed, stopped_at = session.output_of(snippet), session.stopped_at()
    if stopped_at is snippet:
        pytest.fail(f"docs/api.md, line {snippet.line}: the snippet does not run to its end:\n{session.rest}")
    if printed is None:
        pytest.fail(f"docs/api.md, line {snippet.line}: not run, since the session stopped at {stopped_at}")
    if not snippet.prints(printed):
        pytest.fail(f"docs/api.md, line {snippet.line} shows\n{snippet.output}but the snippet prints\n{printed}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_session_ends_with_success(language: str, sessions: dict[str, Session]) -> None:
    """And prints nothing after its last snippet."""
    session = sessions[language]
    assert not session.end
    assert session.stopped_at() or not session.rest


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_session_meets_each_fault_of_the_network(language: str, sessions: dict[str, Session]) -> None:
    """The guide says that its clients survive them."""
    assert set(sessions[language].proxy.faults) >= FAULTS[language]


def test_the_table_of_what_fits_in_has_each_field_of_a_body(services: dict[str, Service]) -> None:
    """And no other. The bodies are those of the OpenAPI document."""
    with DIRECT.open(f"http://127.0.0.1:{services['sh'].port}/openapi.json") as answer:
        document = json.load(answer)
    fields = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {"content": {}})["content"].values():
                name = content["schema"]["$ref"].rpartition("/")[2]
                fields |= set(document["components"]["schemas"][name]["properties"])
    section = GUIDE.partition("\n## What fits in\n")[2].partition("\n## ")[0]
    first_cells = " ".join(line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", first_cells)) == fields
