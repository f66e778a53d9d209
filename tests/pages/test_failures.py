"""Failures of the service, the network, single requests and the storage."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable

from pages.browser import Tab
from playwright.sync_api import Route, expect
from support.services import Service, until
from support.users import sign_up


def test_a_lost_service_comes_back_and_nothing_is_missed(service: Service, tab: Callable[..., Tab]) -> None:
    """A message that arrives meanwhile and one that is being sent appear once each."""
    bob, alice = sign_up(service, "bob-lost"), sign_up(service, "alice-lost")
    one = tab("desk-light")
    one.expects(
        "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE"
    )
    one.sign_in(alice.name)
    bob.send(alice.name, "Before")
    expect(one.row("Before")).to_be_visible()
    service.stop(signal.SIGKILL)
    try:
        expect(one.page.locator("#line-text")).to_have_text("Reconnecting…")
        one.examine("reconnecting")
        one.write(bob.name, "Into the dark", "Does this arrive?")
        one.send()
        expect(one.page.locator("#compose-state")).to_contain_text("No connection. Trying again")
    finally:
        service.start()
    until(lambda: [message["subject"] for message in bob.received()] == ["Into the dark"], "the message")
    bob.send(alice.name, "After")
    expect(one.row("After")).to_be_visible()
    one.is_live()
    service.stop()
    service.start()
    bob.send(alice.name, "Again")
    expect(one.row("Again")).to_be_visible()
    one.page.wait_for_timeout(500)
    assert one.page.locator("#rows .row-subject").all_inner_texts() == ["Again", "After", "Before"]
    expect(one.page.locator("#unread-badge")).to_have_text("3")


def test_a_send_with_a_lost_answer_is_retried_with_its_key(service: Service, tab: Callable[..., Tab]) -> None:
    """All attempts have the same idempotency key."""
    bob, alice = sign_up(service, "bob-once"), sign_up(service, "alice-once")
    one = tab("phone-dark")
    one.expects("ERR_FAILED", "429", "503")
    one.sign_in(alice.name)
    keys: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method != "POST":
            return route.continue_()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()
            return route.abort()
        if len(keys) == 2:
            body = json.dumps({"title": "Too many requests", "status": 429})
            return route.fulfill(
                status=429, headers={"Retry-After": "2", "Content-Type": "application/problem+json"}, body=body
            )
        return route.continue_()

    one.page.route("**/messages", lose)
    one.write(bob.name, "Once", "And once only.")
    one.send()
    expect(one.page.locator("#compose-state")).to_contain_text("The service is busy. Trying again in 2 s")
    expect(one.page.get_by_role("heading", name="Inbox")).to_be_visible()
    assert len(keys) == 3 and len(set(keys)) == 1, keys
    assert [message["subject"] for message in bob.received()] == ["Once"]


def test_a_retry_after_is_shown_as_a_time(service: Service, tab: Callable[..., Tab]) -> None:
    """In the unit that suits it. The page shows the message of the service, and does not retry by itself."""
    alice = sign_up(service, "alice-later")
    one = tab("phone-light")
    one.expects("429")
    one.sign_in(alice.name)
    tries: list[str] = []

    def refuse(route: Route) -> None:
        tries.append(route.request.method)
        body = json.dumps({"detail": "Too many messages; retry in 604796 s.", "status": 429})
        route.fulfill(status=429, headers={"Retry-After": "90", "Content-Type": "application/problem+json"}, body=body)

    one.write(alice.name, "Too much", "One more.")
    one.page.route("**/messages", refuse)
    one.send()
    expect(one.page.get_by_role("alert").filter(has_text="Too many messages; retry in 7 days.")).to_be_visible()
    expect(one.page.get_by_label("Message", exact=True)).to_have_value("One more.")
    assert tries == ["POST"], tries
    one.examine("too-many")


def test_a_failed_load_can_be_retried(service: Service, tab: Callable[..., Tab]) -> None:
    """A list; a deleted message has a view of its own."""
    bob, alice = sign_up(service, "bob-again"), sign_up(service, "alice-again")
    bob.send(alice.name, "There")
    one = tab("phone-light")
    one.expects("500", "404")
    fail = {"is_on": True}

    def refuse(route: Route) -> None:
        if fail["is_on"]:
            return route.fulfill(
                status=500, content_type="application/problem+json", body='{"detail":"The fault is ours."}'
            )
        return route.continue_()

    one.page.route("**/messages?*", refuse)
    one.sign_in(alice.name)
    expect(one.page.get_by_role("alert").filter(has_text="The fault is ours.")).to_be_visible()
    one.examine("failed")
    again = one.page.get_by_role("button", name="Try again")
    again.focus()
    with one.page.expect_response("**/messages?*"):
        one.page.keyboard.press("Enter")
    expect(again).to_be_focused()
    fail["is_on"] = False
    one.page.keyboard.press("Enter")
    expect(one.row("There")).to_be_visible()
    expect(one.page.get_by_role("heading", name="Inbox")).to_be_focused()
    one.open("/#/inbox/999999")
    expect(one.page.get_by_role("heading", name="This message is gone")).to_be_visible()
    one.examine("gone")


def test_a_swallowed_request_ends_in_a_message(service: Service, tab: Callable[..., Tab]) -> None:
    """The request can be retried. The timeouts of the page are 20 times shorter here."""
    bob, alice = sign_up(service, "bob-swallowed"), sign_up(service, "alice-swallowed")
    bob.send(alice.name, "There")
    one = tab("phone-dark")
    one.expects("ERR_CONNECTION_RESET")
    one.context.add_init_script("""const real = AbortSignal.timeout.bind(AbortSignal);
        AbortSignal.timeout = (milliseconds) => real(milliseconds / 20);""")
    away = one.page.get_by_role("alert").filter(
        has_text="The service cannot be reached. Check your connection and try again."
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        one.page.route("**/messages?*", lambda route: route.continue_(url=nowhere))
        one.sign_in(alice.name)
        expect(away).to_be_visible()
        one.page.unroute("**/messages?*")
        one.page.get_by_role("button", name="Try again").click()
        expect(one.row("There")).to_be_visible()
    expect(away).to_be_hidden()


def test_a_browser_without_storage_is_enough(service: Service, tab: Callable[..., Tab]) -> None:
    """The page keeps its state in memory."""
    bob, alice = sign_up(service, "bob-stored"), sign_up(service, "alice-stored")
    bob.send(alice.name, "Lunch")
    one = tab("desk-dark")
    one.context.add_init_script("""Object.defineProperty(window, "sessionStorage", {
        get() { throw new DOMException("closed", "SecurityError"); } });""")
    page = one.page
    one.sign_in(alice.name)
    one.row("Lunch").click()
    page.get_by_role("button", name="Reply").click()
    expect(page.get_by_label("Subject")).to_have_value("Re: Lunch")
    page.get_by_label("Message", exact=True).fill("At noon.")
    page.get_by_role("button", name="Close", exact=True).last.click()
    page.get_by_role("button", name="Continue reply").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("At noon.")
    one.send()
    until(lambda: [message["subject"] for message in bob.received()] == ["Re: Lunch"], "the answer")
    one.write(bob.name, "Never mind", "Or not.")
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("link", name="Write").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("")
    one.sign_out()


def test_a_lost_connection_is_told_once(service: Service, tab: Callable[..., Tab]) -> None:
    """Repeated failures add no alerts. The clock of the page runs faster here."""
    alice = sign_up(service, "alice-told")
    one = tab("desk-light")
    one.expects("ERR_FAILED")
    one.sign_in(alice.name)
    tries: list[str] = []

    def refuse(route: Route) -> None:
        tries.append(route.request.url)
        route.abort()

    one.page.route("**/events", refuse)
    one.page.clock.install()
    one.reload()
    one.page.evaluate("""() => { window.told = 0;
        new MutationObserver((changes) => { told += changes.length; })
            .observe(document.getElementById("alerts"), { childList: true }); }""")

    def tried_often() -> bool:
        one.page.clock.run_for(5000)
        return len(tries) > 8

    until(tried_often, "the ninth try")
    expect(one.page.locator("#line-text")).to_have_text("Reconnecting…")
    expect(one.page.locator("#alerts")).to_have_text("The connection is lost. Reconnecting.")
    assert one.page.evaluate("told") <= 1
