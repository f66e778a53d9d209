"""The pictures of the README can be taken: PICTURES=docs/pages make test-pages ARGS="-k readme"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pages.browser import Tab
from playwright.sync_api import Route, expect
from support.services import Service
from support.users import User, sign_up

# The sender, the subject, the text and the age in minutes of each message.
MESSAGES = [
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


@pytest.fixture(scope="module")
def service(start_service: Callable[..., Service], service_settings: dict[str, str]) -> Service:
    """A service in which the names of the pictures are free."""
    return start_service("portraits", service_settings)


def test_the_pictures_of_the_readme_show_an_inbox_and_the_reference(service: Service, tab: Callable[..., Tab]) -> None:
    """The messages have just been sent, so the page gets times that are made up."""
    for name in sorted({"alice"} | {sender for sender, *_ in MESSAGES}):
        sign_up(service, name)
    alice = User(service, "alice")
    for sender, subject, message, _ in MESSAGES:
        letter = User(service, sender).send("alice", subject, message)
        if subject not in ("Dinner on Friday", "The draft, second round"):
            alice.ask("PATCH", f"/messages/{letter}", {"read": True})

    def age(route: Route) -> None:
        answer = route.fetch()
        page = answer.json()
        for letter in page["messages"]:
            minutes = next(minutes for _, subject, _, minutes in MESSAGES if subject == letter["subject"])
            letter["created_at"] = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
        route.fulfill(response=answer, json=page)

    for look, name in (("phone-dark", "inbox-phone"), ("desk-light", "inbox")):
        one = tab(look)
        one.page.route("**/messages?*", age)
        one.sign_in("alice")
        expect(one.page.locator("#rows a")).to_have_count(len(MESSAGES))
        if look == "desk-light":
            one.row("Dinner on Friday").click()
            expect(one.page.get_by_role("button", name="Mark unread")).to_be_visible()
        one.page.screenshot(path=one.pictures / f"{name}.png", animations="disabled")
    one = tab("desk-light")
    one.open("/docs")
    expect(one.page.locator(".opblock").first).to_be_visible()
    one.page.screenshot(path=one.pictures / "docs.png", animations="disabled")
