"""Several tabs of one browser, and a tab that becomes visible again."""

from __future__ import annotations

from collections.abc import Callable

from pages.browser import Tab
from playwright.sync_api import Route, expect
from support.services import Service, until
from support.users import PASSWORD, User, sign_up


def test_a_deleted_message_cannot_be_read_in_an_open_page(service: Service, tab: Callable[..., Tab]) -> None:
    """Neither when it is opened, nor when a tab that shows it becomes visible again."""
    bob, alice = sign_up(service, "bob-gone"), sign_up(service, "alice-gone")
    secret, other = bob.send(alice.name, "Secret", "The number is 42."), bob.send(alice.name, "Other", "Not for long.")
    one = tab("desk-light")
    one.expects("404")
    page = one.page
    gone = page.get_by_role("heading", name="This message is gone")
    one.sign_in(alice.name)
    expect(page.locator("#rows a")).to_have_count(2)
    # The list stays as it is now, and no event tells of a deletion.
    page.route("**/events", lambda _: None)
    page.reload()
    expect(page.locator("#rows a")).to_have_count(2)
    listed = alice.ask("GET", "/messages?per_page=20")
    page.route("**/messages?*", lambda route: route.fulfill(json=listed))
    bob.ask("DELETE", f"/messages/{secret}")
    one.row("Secret").click()
    expect(gone).to_be_focused()
    expect(one.row("Secret")).to_have_count(0)
    expect(page.get_by_text("The number is 42.")).to_have_count(0)
    one.row("Other").click()
    expect(page.locator(".message-text")).to_have_text("Not for long.")
    page.unroute("**/messages?*")
    bob.ask("DELETE", f"/messages/{other}")
    one.come_back()
    expect(gone).to_be_visible()
    expect(page.get_by_text("Not for long.")).to_have_count(0)
    # A click on the current tab also detects a deleted message.
    third = bob.send(alice.name, "Third")
    one.come_back()
    expect(one.row("Third")).to_be_visible()
    page.get_by_role("link", name="Inbox").click()
    bob.ask("DELETE", f"/messages/{third}")
    page.get_by_role("link", name="Inbox").click()
    expect(one.row("Third")).to_have_count(0)


def test_tabs_agree_on_what_is_read_and_deleted(service: Service, tab: Callable[..., Tab]) -> None:
    """At once within a browser; the changes of another client when a tab becomes visible again."""
    bob, alice = sign_up(service, "bob-agree"), sign_up(service, "alice-agree")
    ids = [bob.send(alice.name, subject) for subject in ("Apple", "Pear")]
    one = tab("desk-light")
    one.sign_in(alice.name)
    two = one.another()
    two.open()
    expect(two.page.locator("#unread-badge")).to_have_text("2")
    one.row("Apple").click()
    expect(two.page.locator("#rows .unread")).to_have_count(1)
    expect(two.page.locator("#unread-badge")).to_have_text("1")
    one.page.get_by_role("button", name="Delete").click()
    one.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(two.page.locator("#rows a")).to_have_count(1)
    alice.ask("PATCH", f"/messages/{ids[1]}", {"read": True})
    two.come_back()
    expect(two.page.locator("#rows .unread")).to_have_count(0)
    expect(two.page.locator("#unread-badge")).to_be_hidden()


def test_changes_of_other_devices_show_at_once(service: Service, tab: Callable[..., Tab]) -> None:
    """Marks, deletions and the unread count, in a tab that nobody touches."""
    bob, alice = sign_up(service, "bob-live"), sign_up(service, "alice-live")
    ids = [bob.send(alice.name, subject) for subject in ("Apple", "Pear", "Plum")]
    one = tab("desk-light")
    one.sign_in(alice.name)
    page = one.page
    badge, unread = page.locator("#unread-badge"), page.locator("#rows .unread")
    expect(badge).to_have_text("3")
    expect(page.locator("#line-text")).to_have_text("Live")
    alice.ask("PATCH", "/messages", {"read": True, "ids": ids[:2]})
    expect(unread).to_have_count(1)
    expect(badge).to_have_text("1")
    alice.ask("PATCH", f"/messages/{ids[0]}", {"read": False})
    expect(unread).to_have_count(2)
    expect(badge).to_have_text("2")
    alice.ask("DELETE", f"/messages/{ids[0]}")
    expect(one.row("Apple")).to_have_count(0)
    expect(badge).to_have_text("1")
    # The sender deletes a message that is not open, and one that is.
    bob.ask("DELETE", f"/messages/{ids[1]}")
    expect(one.row("Pear")).to_have_count(0)
    one.row("Plum").click()
    expect(page.locator(".message-text")).to_be_visible()
    mark = page.locator("[data-mark]")
    expect(mark).to_have_text("Mark unread")
    alice.ask("PATCH", f"/messages/{ids[2]}", {"read": False})
    expect(mark).to_have_text("Mark read")
    bob.ask("DELETE", f"/messages/{ids[2]}")
    expect(page.get_by_role("heading", name="This message is gone")).to_be_visible()
    expect(page.locator("#rows a")).to_have_count(0)
    expect(badge).to_be_hidden()


def test_the_list_of_unread_messages_follows_other_devices(service: Service, tab: Callable[..., Tab]) -> None:
    """A message that is read elsewhere leaves it, and one that is marked as unread returns."""
    bob, alice = sign_up(service, "bob-only"), sign_up(service, "alice-only")
    ids = [bob.send(alice.name, subject) for subject in ("Apple", "Pear")]
    one = tab("desk-light")
    one.sign_in(alice.name)
    one.page.locator("#unread-only").check()
    expect(one.page.locator("#rows a")).to_have_count(2)
    alice.ask("PATCH", f"/messages/{ids[0]}", {"read": True})
    expect(one.page.locator("#rows a")).to_have_count(1)
    alice.ask("PATCH", f"/messages/{ids[0]}", {"read": False})
    expect(one.page.locator("#rows a")).to_have_count(2)


def test_a_failed_mark_does_not_replace_the_text(service: Service, tab: Callable[..., Tab]) -> None:
    """Nor does a failed check: the page shows the loaded text, and that it may be out of date."""
    bob, alice = sign_up(service, "bob-mark"), sign_up(service, "alice-mark")
    bob.send(alice.name, "Letter", "Dear Alice.")
    bob.send(alice.name, "Card", "Greetings.")
    one = tab("phone-light")
    one.expects("500", "503")
    page = one.page
    fail = {"PATCH": 500}

    def refuse(route: Route) -> None:
        if route.request.method in fail:
            return route.fulfill(status=fail[route.request.method], body="<h1>Bad</h1>")
        return route.continue_()

    page.route("**/messages/*", refuse)
    one.sign_in(alice.name)
    one.row("Letter").click()
    expect(page.get_by_role("status").filter(has_text="Not marked as read: The service has failed.")).to_be_visible()
    expect(page.locator(".message-text")).to_have_text("Dear Alice.")
    fail["GET"] = 503
    page.keyboard.press("Escape")
    one.row("Card").click()
    expect(page.locator("#unchecked")).to_contain_text("Shown as it was loaded. The service is not available just now.")
    expect(page.locator(".message-text")).to_have_text("Greetings.")
    one.examine("unchecked")


def test_a_second_tab_has_the_session(service: Service, tab: Callable[..., Tab]) -> None:
    """After a Ctrl-click and with a pasted link; nothing is stored on the disk. Signing out ends all tabs."""
    bob, alice = sign_up(service, "bob-second"), sign_up(service, "alice-second")
    message = bob.send(alice.name, "Second")
    one = tab("desk-light")
    one.expects("401")
    one.sign_in(alice.name)
    with one.context.expect_page() as opened:
        one.row("Second").click(modifiers=["Control"])
    expect(opened.value.get_by_role("heading", name="Second")).to_be_visible()
    two = one.another()
    two.open(f"/#/inbox/{message}")
    expect(two.page.get_by_role("heading", name="Second")).to_be_visible()
    two.is_live()
    assert two.page.evaluate("localStorage.length") == 0 and one.context.cookies() == []
    two.write("nobody", "Draft", "Not yet sent.")
    one.sign_out()
    assert service.request("GET", f"/users/{alice.name}", token=alice.token)[0] == 401
    expect(opened.value.get_by_role("button", name="Sign in")).to_be_visible()
    expect(opened.value.get_by_text("Second", exact=True)).to_have_count(0)
    expect(opened.value.get_by_text(alice.name)).to_have_count(0)
    # A draft waits for its writer, and nothing else is to be seen.
    again = two.page.get_by_role("dialog", name="Sign in again")
    expect(again).to_be_visible()
    expect(two.page.locator("#rows a")).to_have_count(0)
    again.get_by_label("Password of").fill(PASSWORD)
    again.get_by_role("button", name="Sign in").click()
    expect(two.page.get_by_label("Message", exact=True)).to_have_value("Not yet sent.")
    expect(two.row("Second")).to_be_visible()
    # After signing out, a reload does not restore the session; a new tab does.
    one.reload()
    expect(one.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_older_messages_are_checked_too(service: Service, tab: Callable[..., Tab]) -> None:
    """All loaded messages, not the newest page alone."""
    bob, alice = sign_up(service, "bob-older"), sign_up(service, "alice-older")
    ids = [bob.send(alice.name, f"Number {number:02}") for number in range(22)]
    one = tab("phone-light")
    one.sign_in(alice.name)
    one.page.get_by_role("button", name="Show older messages").click()
    expect(one.row("Number 01")).to_be_visible()
    bob.ask("DELETE", f"/messages/{ids[1]}")
    one.come_back()
    expect(one.row("Number 01")).to_have_count(0)
    expect(one.page.locator("#rows a")).to_have_count(21)


def test_a_new_tab_has_the_session_of_the_last_used_tab(service: Service, tab: Callable[..., Tab]) -> None:
    """With two users signed in; a form that is being filled in stays."""
    alice, ben = sign_up(service, "alice-two"), sign_up(service, "ben-two")
    one = tab("desk-light")
    two = one.another()
    two.open()
    two.page.get_by_label("Username").fill(ben.name)
    one.sign_in(alice.name)
    expect(two.page.get_by_label("Username")).to_have_value(ben.name)
    two.page.get_by_label("Password", exact=True).fill(PASSWORD)
    two.page.get_by_role("button", name="Sign in").click()
    expect(two.page.locator("#me")).to_have_text(ben.name)
    for looked_at, name in ((one, alice.name), (two, ben.name)):
        looked_at.come_back()
        # Between two tabs nothing says that the other has heard it.
        looked_at.page.wait_for_timeout(300)
        three = one.another()
        three.open()
        expect(three.page.locator("#me")).to_have_text(name)
        three.page.close()
    expect(one.page.locator("#me")).to_have_text(alice.name)


def test_signing_out_revokes_or_says_that_it_does_not(service: Service, tab: Callable[..., Tab]) -> None:
    """If the service is unreachable, the page does not claim to have revoked the tokens."""
    alice = sign_up(service, "alice-out")
    one = tab("phone-dark")
    one.expects("500")
    page = one.page
    one.sign_in(alice.name)
    page.route("**/tokens", lambda route: route.fulfill(status=500, body=""))
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign out everywhere").click()
    dialog = page.get_by_role("dialog", name="Not signed out: The service has failed.")
    expect(dialog).to_be_visible()
    one.examine("not-signed-out")
    dialog.get_by_role("button", name="Only this browser").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert service.request("GET", f"/users/{alice.name}", token=alice.token)[0] == 200
    page.unroute("**/tokens")
    one.sign_in(alice.name)
    one.sign_out()
    assert service.request("GET", f"/users/{alice.name}", token=alice.token)[0] == 401


def test_nine_tabs_share_one_stream(service: Service, tab: Callable[..., Tab]) -> None:
    """Over HTTP/1.1 a browser has six connections; when a tab is closed, the others keep receiving events."""
    bob, alice = sign_up(service, "bob-many"), sign_up(service, "alice-many")
    first = tab("desk-light")
    first.expects("ERR_ABORTED")
    streams: set[str] = set()
    first.context.on("request", lambda request: streams.add(request.url) if request.url.endswith("/events") else None)
    first.sign_in(alice.name)
    tabs = [first]
    for _ in range(8):
        tabs.append(first.another())
        tabs[-1].open()
        expect(tabs[-1].page.get_by_role("heading", name="Inbox")).to_be_visible()
        tabs[-1].is_live()
    bob.send(alice.name, "To all")
    for each in tabs:
        expect(each.row("To all")).to_be_visible()
        expect(each.page.locator("#unread-badge")).to_have_text("1")
    tabs.pop().page.close()
    tabs.pop(3).page.close()
    bob.send(alice.name, "To the rest")
    for each in tabs:
        expect(each.row("To the rest")).to_be_visible()
    assert len(streams) == 1


def test_without_locks_a_hidden_tab_lets_go_of_its_stream(service: Service, tab: Callable[..., Tab]) -> None:
    """As over plain HTTP; when it is visible again, it shows the messages that arrived meanwhile."""
    bob, alice = sign_up(service, "bob-hidden"), sign_up(service, "alice-hidden")
    one = tab("desk-light")
    one.context.add_init_script("Object.defineProperty(navigator, 'locks', { get: () => undefined });")
    one.sign_in(alice.name)
    ended: list[str] = []
    for event in ("requestfailed", "requestfinished"):
        one.page.on(event, lambda request: ended.append(request.url))
    one.hide()
    one.until(lambda: any(url.endswith("/events") for url in ended), "the end of the stream")
    bob.send(alice.name, "Meanwhile")
    one.page.wait_for_timeout(300)
    expect(one.row("Meanwhile")).to_have_count(0)
    one.hide(False)
    expect(one.row("Meanwhile")).to_be_visible()
    one.is_live()


def test_a_stream_that_is_ended_at_once_is_not_fought_for(service: Service, tab: Callable[..., Tab]) -> None:
    """The page backs off. Its clock runs faster here."""
    alice = sign_up(service, "alice-evicted")
    one = tab("desk-light")
    tries: list[float] = []

    def evict(route: Route) -> None:
        tries.append(one.page.evaluate("performance.now()"))
        body = (
            "id:1\nevent:hello\ndata:{}\n\nid:1\nevent:surprise\ndata:{}\n\nretry:100\nid:1\nevent:goodbye\ndata:{}\n\n"
        )
        route.fulfill(status=200, content_type="text/event-stream", body=body)

    one.page.clock.install()
    one.page.route("**/events", evict)
    one.open()
    one.page.get_by_label("Username").fill(alice.name)
    one.page.get_by_label("Password", exact=True).fill(PASSWORD)
    one.page.get_by_role("button", name="Sign in").click()
    expect(one.page.get_by_role("heading", name="Inbox")).to_be_visible()

    def tried_often() -> bool:
        one.page.clock.run_for(1000)
        return len(tries) >= 7

    until(tried_often, "the seventh try")
    assert tries[6] - tries[5] > 3000, tries


def test_a_refused_stream_is_asked_for_when_the_service_says(service: Service, tab: Callable[..., Tab]) -> None:
    """And not before, as with too many streams of a user. The clock of the page runs faster here."""
    alice = sign_up(service, "alice-refused")
    one = tab("phone-light")
    one.expects("429")
    tries: list[float] = []

    def refuse(route: Route) -> None:
        tries.append(one.page.evaluate("performance.now()"))
        route.fulfill(
            status=429,
            headers={"Retry-After": "90"},
            content_type="application/problem+json",
            body='{"detail":"Enough."}',
        )

    one.page.clock.install()
    one.page.route("**/events", refuse)
    one.open()
    one.page.get_by_label("Username").fill(alice.name)
    one.page.get_by_label("Password", exact=True).fill(PASSWORD)
    one.page.get_by_role("button", name="Sign in").click()
    expect(one.page.get_by_role("heading", name="Inbox")).to_be_visible()

    def tried_twice() -> bool:
        one.page.clock.run_for(5000)
        return len(tries) >= 2

    until(tried_twice, "the second try")
    assert tries[1] - tries[0] >= 90_000, tries


def test_a_reset_loads_the_list_anew(service: Service, tab: Callable[..., Tab]) -> None:
    """A reset means that events are missing; unknown kinds of events change nothing."""
    bob, alice = sign_up(service, "bob-reset"), sign_up(service, "alice-reset")
    one = tab("desk-light")
    go = {"is_on": False}

    def stream(route: Route) -> None:
        event = "reset" if go["is_on"] else "hello"
        route.fulfill(
            status=200,
            content_type="text/event-stream",
            body=f"id:1\nevent:{event}\ndata:{{}}\n\nretry:100\nid:1\nevent:goodbye\ndata:{{}}\n\n",
        )

    one.page.route("**/events", stream)
    one.sign_in(alice.name)
    lists: list[str] = []
    one.page.on("request", lambda request: lists.append(request.url) if "/messages?" in request.url else None)
    go["is_on"] = True
    User(service, bob.name).send(alice.name, "Missed")
    expect(one.row("Missed")).to_be_visible()
    assert lists


def test_the_line_is_not_called_live_while_offline(service: Service, tab: Callable[..., Tab]) -> None:
    """The page shows the loss of the connection and its return at once."""
    alice = sign_up(service, "alice-offline")
    one = tab("phone-light")
    one.expects("ERR_INTERNET_DISCONNECTED")
    one.sign_in(alice.name)
    one.context.set_offline(True)
    expect(one.page.locator("#line-text")).to_have_text("Offline")
    one.context.set_offline(False)
    one.is_live()
