"""Every view: in each look, by keyboard, with hostile texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pages.browser import LOOKS, Tab
from playwright.sync_api import Route, expect
from support.services import Service, until
from support.users import PASSWORD, sign_up


@pytest.mark.parametrize("look", LOOKS)
def test_a_user_signs_up_and_uses_every_view(service: Service, tab: Callable[..., Tab], look: str) -> None:
    """From signing up to signing out."""
    name, one = f"alice-{look}", tab(look)
    page = one.page
    bob, carol = sign_up(service, f"bob-{name}"), sign_up(service, f"carol-{name}")
    one.expects("409", "422")
    one.open()
    one.examine("sign-in")

    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Username").fill(bob.name)
    page.get_by_label("E-mail address").fill("nowhere")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#access-email-error")).to_contain_text("Must be an e-mail address")
    expect(page.locator("#access-password-error")).to_contain_text("8 to 128 characters")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    one.examine("sign-up-errors")
    page.get_by_label("E-mail address").fill(f"{name}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#access-username-error")).to_have_text("Is taken.")
    page.get_by_label("Username").fill(name)
    page.get_by_role("button", name="Create account").click()

    expect(page.get_by_role("heading", name="Inbox")).to_be_focused()
    expect(page.get_by_text("No messages yet")).to_be_visible()
    one.is_live()
    one.examine("empty")

    bob.send(name, "Dinner on Friday", "Shall we try the new place by the river?\n\nI could book a table for eight.")
    row = one.row("Dinner on Friday")
    expect(row).to_contain_text("Unread. ")
    expect(page.get_by_role("status").filter(has_text=f"New message from {bob.name}: Dinner on Friday")).to_be_visible()
    expect(page.locator("#unread-badge")).to_have_text("1")
    expect(page).to_have_title("(1) Inbox – Herolo")
    row.click()
    expect(page.get_by_role("heading", name="Dinner on Friday")).to_be_focused()
    expect(page.get_by_text("I could book a table for eight.", exact=False).last).to_be_visible()
    expect(page.locator("#unread-badge")).to_be_hidden()
    until(lambda: bob.ask("GET", "/messages?box=sent")["messages"][0]["read"], "the mark")
    one.examine("message")

    page.get_by_role("button", name="Reply").click()
    expect(page.get_by_label("To")).to_have_value(bob.name)
    expect(page.get_by_label("Subject")).to_have_value("Re: Dinner on Friday")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.get_by_label("Message", exact=True).fill("With pleasure. I bring the children.")
    one.examine("reply")
    one.send()
    until(lambda: [one["subject"] for one in bob.received()] == ["Re: Dinner on Friday"], "the answer")

    one.write(f"{bob.name}, nobody-{name} {carol.name}", "Minutes", "As promised.")
    one.send()
    expect(page.locator("#compose-to-error")).to_have_text(f"'nobody-{name}' is not the name of a user.")
    expect(page.get_by_label("To")).to_be_focused()
    one.examine("compose-error")
    page.get_by_label("To", exact=True).fill(f"{bob.name}, {carol.name}")
    one.send()
    until(lambda: len(carol.received()) == 1, "the message to several")
    carol.ask("PATCH", f"/messages/{carol.received()[0]['id']}", {"read": True})

    page.get_by_role("link", name="Sent").click()
    expect(one.row("Minutes")).to_contain_text("Read by 1 of 2")
    one.examine("sent")
    one.row("Minutes").click()
    receivers = page.get_by_role("list", name="Receivers").get_by_role("listitem")
    expect(receivers.filter(has_text=carol.name).locator(".state")).to_have_text("read")
    expect(receivers.filter(has_text=bob.name).locator(".state")).to_have_text("not read yet")
    one.examine("sent-message")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog", name="Delete for everybody?")).to_be_visible()
    one.examine("confirm")
    page.get_by_role("button", name="Keep it").click()
    expect(one.page.get_by_role("heading", name="Minutes")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    until(lambda: carol.received() == [], "the deletion for everybody")
    expect(one.row("Minutes")).to_have_count(0)

    for number in range(24):
        bob.send(name, f"Number {number:02}", "One of many.")
    page.get_by_role("link", name="Inbox").click()
    expect(page.locator("#rows a")).to_have_count(25)
    one.reload()
    expect(page.locator("#rows a")).to_have_count(20)
    one.is_live()
    one.examine("inbox")
    page.get_by_role("button", name="Show older messages").click()
    expect(page.locator("#rows a")).to_have_count(25)
    expect(page.get_by_role("button", name="Show older messages")).to_be_hidden()
    assert page.locator("#rows .row-subject").all_inner_texts()[-2:] == ["Number 00", "Dinner on Friday"]
    page.get_by_label("Only unread").check()
    expect(page.locator("#rows a")).to_have_count(20)
    page.get_by_role("button", name="Show older messages").click()
    expect(page.locator("#rows a")).to_have_count(24)
    expect(one.row("Dinner on Friday")).to_have_count(0)

    page.get_by_role("button", name="Sign out", exact=True).click()
    one.examine("sign-out")
    page.get_by_role("button", name="Stay signed in").click()
    one.sign_out()
    assert page.evaluate("sessionStorage.length") == 0 and page.evaluate("localStorage.length") == 0
    assert one.context.cookies() == []
    expect(page.locator("#rows a")).to_have_count(0)


def test_the_keyboard_alone_is_enough(service: Service, tab: Callable[..., Tab]) -> None:
    """The focus is always visible."""
    bob = sign_up(service, "bob-keys")
    sign_up(service, "alice-keys")
    keys = tab("desk-light")
    page = keys.page

    def press(*names: str) -> None:
        for name in names:
            page.keyboard.press(name)

    def walk_to(name: str) -> None:
        for _ in range(40):
            press("Tab")
            focused, outline = page.evaluate("""() => {
                const one = document.activeElement;
                if (one === document.body) return ["", "of the window itself"]; // from the end to the beginning
                return [one.innerText || one.labels?.[0]?.innerText || "", getComputedStyle(one).outlineStyle];
            }""")
            assert outline != "none", f"nobody sees that {focused} has the focus"
            if name in focused:
                return
        raise AssertionError(f"the focus never comes to {name}")

    keys.open()
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("alice-keys")
    press("Tab")
    page.keyboard.type(PASSWORD)
    press("Enter")
    expect(page.get_by_role("heading", name="Inbox")).to_be_focused()
    keys.is_live()
    for number in range(3):
        bob.send("alice-keys", f"Letter {number}")
    expect(page.locator("#rows a")).to_have_count(3)
    walk_to("Letter 2")
    press("ArrowDown", "ArrowDown", "ArrowUp", "Enter")
    expect(page.get_by_role("heading", name="Letter 1")).to_be_focused()
    press("Tab")
    expect(page.get_by_role("button", name="Reply")).to_be_focused()
    press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("Typed blindly.")
    press("Escape")
    expect(page.locator("#compose")).to_have_count(0)
    expect(page.get_by_role("heading", name="Letter 1")).to_be_focused()
    walk_to("Letter 0")
    press("Enter")
    expect(page.get_by_role("heading", name="Letter 0")).to_be_focused()
    press("Escape")
    expect(keys.row("Letter 0")).to_be_focused()
    expect(page.locator("#drafts")).to_contain_text("To bob-keys: Re: Letter 1")
    walk_to("To bob-keys: Re: Letter 1")
    press("Enter")
    expect(page.get_by_label("Message", exact=True)).to_have_value("Typed blindly.")
    press("Control+Enter")
    until(lambda: [one["message"] for one in bob.received()] == ["Typed blindly."], "the answer")
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
    keys.row("Letter 0").focus()
    press("Enter")
    expect(page.get_by_role("heading", name="Letter 0")).to_be_focused()
    walk_to("Delete")
    press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    press("Escape")
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Delete").focus()
    press("Enter")
    expect(page.locator("#rows a")).to_have_count(2)
    expect(keys.row("Letter 1")).to_be_focused()


def test_message_texts_are_never_markup_and_fit(service: Service, tab: Callable[..., Tab]) -> None:
    """Markup, long words, long names, right-to-left text, and a message of the maximum length."""
    mallory = sign_up(service, "m" * 64)
    alice = sign_up(service, "alice-texts")
    texts = [
        ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script><style>*{display:none}</style>"),
        (
            "&lt;b&gt; {{7*7}} ${7*7}",
            "javascript:alert(3) <a href='javascript:alert(4)'>here</a>\n<iframe srcdoc='x'></iframe>",
        ),
        ("ש" * 120 + " שלום", "مرحبا بالعالم، كيف حالك؟\n" * 4),
        ("👩‍👩‍👧‍👦🎉" * 8, "🇬🇧 " * 60),
        ("W" * 255, "w" * 65_535),
        ("\u202egnp.exe", "first\n\n\n   indented\ttab"),
    ]
    for subject, message in texts:
        mallory.send(alice.name, subject, message)
    for look in ("phone-light", "desk-dark"):
        one = tab(look)
        one.sign_in(alice.name)
        expect(one.page.locator("#rows a")).to_have_count(len(texts))
        assert one.page.locator("#rows .row-subject").all_inner_texts()[-1] == texts[0][0]
        one.examine("hostile-list")
        for index, (subject, message) in enumerate(reversed(texts)):
            one.page.locator("#rows a").nth(index).click()
            expect(one.page.locator(".message h2")).to_be_focused()
            for shown, text in ((".message h2", subject), (".message-text", message)):
                # As it is: an assertion of Playwright would compare without the spaces.
                until(lambda: one.page.text_content(shown) == text, f"the text of {shown}")  # noqa: B023, used at once
            assert one.page.locator(".message-text *, .message h2 *").count() == 0
            one.examine(f"hostile-{index}")
            one.page.keyboard.press("Escape")
    over = tab("desk-light")
    over.expects("422")
    over.sign_in(alice.name)
    over.write(mallory.name, "W" * 256, "w" * 65_536)
    expect(over.page.locator("#compose-message-count")).to_have_text("65,536 of 65,535 bytes")
    over.send()
    expect(over.page.locator("#compose-subject-error")).to_have_text("Must be 1 to 255 characters long.")
    expect(over.page.locator("#compose-message-error")).to_contain_text("65535 bytes")
    over.examine("too-long")


def test_a_list_with_more_to_load_is_not_called_empty(service: Service, tab: Callable[..., Tab]) -> None:
    """After all loaded messages have been deleted. A page has one message here."""
    alice = sign_up(service, "alice-more")
    for subject in ("Older", "Newer"):
        alice.send(alice.name, subject)
    one = tab("desk-light")
    one.expects("ERR_FAILED")
    page = one.page
    page.route(
        "**/messages?per_page=20",
        lambda route: route.continue_(url=route.request.url.replace("per_page=20", "per_page=1")),
    )
    one.sign_in(alice.name)
    expect(page.locator("#rows a")).to_have_count(1)
    # What is loaded stays as it is.
    page.route("**/messages?per_page=20", lambda route: route.abort())
    one.row("Newer").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#rows a")).to_have_count(0)
    expect(page.locator("#list-empty")).to_be_hidden()
    page.get_by_role("button", name="Show older messages").click()
    expect(one.row("Older")).to_be_visible()


def test_lists_and_filters_show_the_current_state(service: Service, tab: Callable[..., Tab]) -> None:
    """Blank subjects have a placeholder, reloads keep "only unread", empty inboxes have no prompt, times are local."""
    alice = sign_up(service, "alice-shown")
    american = tab("desk-light", locale="en-US")
    page = american.page
    american.sign_in(alice.name)
    expect(page.get_by_text("No messages yet")).to_be_visible()
    expect(page.get_by_text("Choose a message to read it here.")).to_be_hidden()
    for subject in ("   ", "\u200b\u3164", "Seen"):
        alice.send(alice.name, subject)
    expect(page.locator(".row-subject", has_text="(no subject)")).to_have_count(2)
    expect(page.get_by_text("Choose a message to read it here.")).to_be_visible()
    american.row("Seen").click()
    expect(page.locator(".message-time")).to_contain_text(re.compile(r"\d:\d\d:\d\d\s[AP]M"))
    expect(page.locator("#rows .unread")).to_have_count(2)
    page.get_by_label("Only unread").check()
    expect(page.locator("#rows a")).to_have_count(2)
    american.reload()
    expect(page.get_by_label("Only unread")).to_be_checked()
    american.is_live()
    expect(page.locator("#rows a")).to_have_count(2)
    british = tab("desk-light")
    british.sign_in(alice.name)
    british.row("Seen").click()
    expect(british.page.locator(".message-time")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d$"))


def test_a_list_on_its_way_loses_neither_an_arrival_nor_a_mark(service: Service, tab: Callable[..., Tab]) -> None:
    """A response is older than messages that arrived meanwhile; the list is loaded after pending marks, or again."""
    bob, alice = sign_up(service, "bob-race"), sign_up(service, "alice-race")
    bob.send(alice.name, "First")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    expect(one.row("First")).to_be_visible()
    held: list[tuple[Route, Any]] = []

    def hold(route: Route) -> None:
        held.append((route, route.fetch()))

    page.route("**/messages?*", hold)
    page.get_by_label("Only unread").check()
    one.until(lambda: any("unread" in route.request.url for route, _ in held), "the list is on its way")
    bob.send(alice.name, "Second")
    expect(page.get_by_role("status")).to_contain_text("Second")
    for route, response in held:
        route.fulfill(response=response)
    page.unroute("**/messages?*")
    expect(page.locator("#rows .row-subject")).to_have_text(["Second", "First"])

    page.get_by_label("Only unread").uncheck()
    marks: list[Route] = []
    page.route(
        "**/messages/*", lambda route: marks.append(route) if route.request.method == "PATCH" else route.continue_()
    )
    one.row("Second").click()
    one.until(lambda: len(marks) == 1, "the mark is on its way")
    page.get_by_label("Only unread").check()
    page.wait_for_timeout(500)
    marks.pop().continue_()
    expect(page.locator("#rows .row-subject")).to_have_text(["First"])


def test_a_list_on_its_way_shows_more_arrivals_than_a_page_once_each(service: Service, tab: Callable[..., Tab]) -> None:
    """Arrivals beyond the page are already among the older messages."""
    bob, alice = sign_up(service, "bob-crowd"), sign_up(service, "alice-crowd")
    bob.send(alice.name, "First")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    one.is_live()
    expect(one.row("First")).to_be_visible()
    page.get_by_role("link", name="Sent").click()
    expect(page.get_by_text("Nothing sent yet")).to_be_visible()
    held: list[Route] = []
    page.route("**/messages?*", lambda route: held.append(route))
    page.get_by_role("link", name="Inbox").click()
    one.until(lambda: len(held) > 0, "the list is on its way")
    for number in range(24):
        bob.send(alice.name, f"Number {number:02}")
    expect(page.locator("#rows a")).to_have_count(25)
    with page.expect_response(lambda each: "/messages?" in each.url and "box=sent" not in each.url) as response:
        for route in held:
            route.continue_()
    assert len(response.value.json()["messages"]) == 20
    expected = [f"Number {number:02}" for number in reversed(range(24))] + ["First"]
    expect(page.locator("#rows .row-subject")).to_have_text(expected)
    page.wait_for_timeout(500)
    expect(page.locator("#rows .row-subject")).to_have_text(expected)


def test_errors_are_in_words_and_lead_to_the_field(service: Service, tab: Callable[..., Tab]) -> None:
    """A wrong password focuses the password; a response of a proxy is neither shown raw nor taken for the service's."""
    alice = sign_up(service, "alice-words")
    one = tab("phone-dark")
    one.expects("401", "503")
    page = one.page
    one.open()
    page.get_by_label("Username").fill(alice.name)
    page.get_by_label("Password", exact=True).fill("not the pass phrase")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert").filter(has_text="no user with this name and password")).to_be_visible()
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    for status, button, words in (
        (503, "Sign in", "The service is not available just now."),
        (200, "Try again", "The service cannot be reached."),
    ):
        page.route(
            "**/messages?*", partial(Route.fulfill, status=status, content_type="text/html", body="<h1>Proxy</h1>")
        )
        page.get_by_role("button", name=button).click()
        expect(page.locator("#list-error")).to_contain_text(words)
        page.unroute("**/messages?*")
