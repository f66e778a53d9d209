#!/usr/bin/env python3
"""Walks through the pages as people do. Started by tests/pages/run; prints a line for each test."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import drafts  # noqa: F401, its tests
import failures  # noqa: F401
import histories  # noqa: F401
import layout  # noqa: F401
import sessions  # noqa: F401
import tabs  # noqa: F401
import views  # noqa: F401
from browser import TESTS, Service, Tab, Test, User, test
from playwright.sync_api import Route, expect, sync_playwright


@test
def the_reference_shows_every_operation_and_tries_one(service: Service, tab: Callable[..., Tab]) -> None:
    """With a token that is entered there."""
    alice = service.user("alice-docs")
    document = json.loads(json.dumps(service.request("GET", "/openapi.json")[1]))
    for look in ("desk-light", "phone-dark"):
        one = tab(look)
        page = one.page
        one.open("/docs")
        expect(page.locator(".opblock")).to_have_count(sum(len(item) for item in document["paths"].values()))
        one.picture("docs")
        page.get_by_role("button", name="Authorize").first.click()
        page.locator(".auth-container input").fill(alice.token)
        page.locator(".auth-btn-wrapper button.authorize").click()
        page.locator(".auth-btn-wrapper button.btn-done").click()
        operation = page.locator(".opblock-get").filter(has=page.locator('[data-path="/users/{username}"]'))
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("textbox").first.fill(alice.name)
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table tr.response .response-col_status")).to_contain_text("200")
        expect(operation.locator(".live-responses-table")).to_contain_text("alice-docs@example.com")
        operation.scroll_into_view_if_needed()
        one.picture("docs-tried")


@test
def the_reference_works_as_it_is_filled_in(service: Service, tab: Callable[..., Tab]) -> None:
    """Nothing is typed; whoever signs up, gets a token and sends sees their message."""
    document = service.request("GET", "/openapi.json")[1]
    operations = {
        operation["operationId"]: (method, path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    taken = {"desk-light": 201, "phone-light": 409}  # the second to sign up has the name of the first
    for look, signed_up in taken.items():
        one = tab(look)
        one.expects("409")
        one.open("/docs")
        expect(one.page.get_by_role("link", name="Inbox")).to_be_visible()
        expect(one.page.get_by_role("link", name="The guide, task by task")).to_be_visible()
        assert execute(one, operations["createUser"], signed_up).url == f"{service.url}/users"
        execute(one, operations["issueToken"], 201)
        sent = [execute(one, operations["sendMessage"], 201).headers for _ in range(2)]
        assert all("authorization" in headers and "idempotency-key" not in headers for headers in sent), sent
        asked = execute(one, operations["listMessages"], 200)
        assert asked.url == f"{service.url}/users/alice/messages" and "if-none-match" not in asked.headers, asked.url
        execute(one, operations["getMessage"], 200)
        execute(one, operations["markMessage"], 200)
        execute(one, operations["getAccount"], 200)
        stream = opened(one, operations["streamEvents"])
        expect(stream.get_by_text("curl -N")).to_be_visible()
        expect(stream.get_by_role("button", name="Execute")).to_have_count(0)
        links = one.page.locator(".response-col_links").first
        expect(links).to_be_visible() if look.startswith("desk") else expect(links).to_be_hidden()
        one.picture("docs-filled-in")
        one.page.evaluate("scrollTo(0, 0)")
        one.picture("docs-top")


def opened(one: Tab, operation: tuple[str, str]) -> Any:
    """An operation of the reference, unfolded."""
    method, path = operation
    block = one.page.locator(f".opblock-{method}").filter(has=one.page.locator(f'[data-path="{path}"]'))
    if "is-open" not in (block.get_attribute("class") or ""):
        block.locator(".opblock-summary-control").click()
    return block


def execute(one: Tab, operation: tuple[str, str], status: int) -> Any:
    """Tries an operation of the reference as it is filled in, and returns the request that this made."""
    block = opened(one, operation)
    method, path = operation
    with one.page.expect_response(
        lambda answer: answer.request.method == method.upper() and "/users" in answer.url
    ) as answer:
        block.get_by_role("button", name="Execute").click()
    assert answer.value.status == status, f"{method} {path}: {answer.value.status}: {answer.value.text()}"
    expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text(str(status))
    return answer.value.request


LETTERS = [
    (
        "noor",
        "Thank you for the books",
        "They came this morning. I have already begun the first one and cannot put it down.",
        2900,
    ),
    (
        "carol",
        "Photos from the lake",
        "I have put all of them into the shared folder. The one with the heron is my favourite.",
        1480,
    ),
    (
        "ines",
        "Re: Train times",
        "The 9:12 is fine with me. I will be at the station a little earlier and get us coffee.",
        300,
    ),
    (
        "carol",
        "Choir moves to Thursday",
        "The hall is taken on Wednesdays from now on, so we meet on Thursdays at seven.",
        64,
    ),
    (
        "bob",
        "Dinner on Friday",
        "Shall we try the new place by the river? They have tables outside, and the weather is to stay.\n\n"
        "I could book one for eight. Tell me who else is coming, and whether Noor is back by then.\n\nBob",
        22,
    ),
    (
        "dmitri",
        "The draft, second round",
        "I have gone through it once more. Most of it reads well; two places need a closer look.",
        4,
    ),
]


def take_portraits(service: Service, open_tab: Callable[[str], Tab]) -> None:
    """Pictures for the README. The messages were sent just now, so what the page is told of their times is made up."""
    for name in sorted({"alice"} | {sender for sender, *_ in LETTERS}):
        service.user(name)
    alice = User(service, "alice")
    for sender, subject, message, _ in LETTERS:
        letter = User(service, sender).send("alice", subject, message)
        if subject not in ("Dinner on Friday", "The draft, second round"):
            alice.ask("PATCH", f"/messages/{letter}", {"read": True})

    def age(route: Route) -> None:
        answer = route.fetch()
        page = answer.json()
        for letter in page["messages"]:
            minutes = next(minutes for _, subject, _, minutes in LETTERS if subject == letter["subject"])
            letter["created_at"] = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
        route.fulfill(response=answer, json=page)

    for look, name in (("phone-dark", "inbox-phone"), ("desk-light", "inbox")):
        one = open_tab(look)
        one.page.route("**/messages?*", age)
        one.sign_in("alice")
        expect(one.page.locator("#rows a")).to_have_count(len(LETTERS))
        if look == "desk-light":
            one.row("Dinner on Friday").click()
            expect(one.page.get_by_role("button", name="Mark unread")).to_be_visible()
        one.page.screenshot(path=one.pictures / f"{name}.png", animations="disabled")
        one.close()
    one = open_tab("desk-light")
    one.open("/docs")
    expect(one.page.locator(".opblock").first).to_be_visible()
    one.page.screenshot(path=one.pictures / "docs.png", animations="disabled")
    one.close()


def main() -> None:
    """Runs the tests whose name has all the words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--herolo", required=True, help="the service's binary")
    parser.add_argument("--chromium", default="", help="the browser; by default Playwright's own")
    parser.add_argument("--pictures", type=Path, required=True, help="a folder for pictures")
    parser.add_argument("--portraits", action="store_true", help="take the README's pictures instead")
    parser.add_argument("words", nargs="*", help="words of the names of tests")
    given = parser.parse_args()
    service = Service(given.herolo)
    service.start()
    try:
        with sync_playwright() as playwright:
            # Its sandbox needs a user other than root.
            browser = playwright.chromium.launch(executable_path=given.chromium or None, args=["--no-sandbox"])
            if given.portraits:
                take_portraits(service, lambda look: Tab(browser, service, look, given.pictures))
                print("ok - the portraits are taken")
                return
            for one in TESTS:
                if all(word in one.__name__ for word in given.words):
                    run(one, service, lambda look, **options: Tab(browser, service, look, given.pictures, **options))
    finally:
        service.stop()


def run(one: Test, service: Service, open_tab: Callable[..., Tab]) -> None:
    """Says whether it passes, and if not, where it failed."""
    opened_tabs: list[Tab] = []

    def tab(look: str, **options: Any) -> Tab:
        opened_tabs.append(open_tab(look, **options))
        return opened_tabs[-1]

    sentence = one.__name__.replace("_", " ")
    try:
        one(service, tab)
        for each in opened_tabs:
            each.close()
        print(f"ok - {sentence}", flush=True)
    except Exception:
        for each in opened_tabs:
            if not each.page.is_closed():
                each.picture("failed-test")
                print(*each.complaints, sep="\n")
        traceback.print_exc(file=sys.stdout)
        print(f"not ok - {sentence}", flush=True)
    finally:
        for each in opened_tabs:
            each.context.close()


if __name__ == "__main__":
    main()
