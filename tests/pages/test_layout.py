"""Layout: in narrow and low windows, with toasts and on-screen keyboards, in forced colours."""

from __future__ import annotations

from collections.abc import Callable

from pages.browser import Tab
from playwright.sync_api import expect
from support.services import Service, until
from support.users import sign_up


def test_toasts_cover_nothing_and_stay_while_they_are_used(service: Service, tab: Callable[..., Tab]) -> None:
    """On a telephone they are below the page; they can be closed, and do not vanish under the pointer or the focus."""
    alice, bob = sign_up(service, "alice-toasts"), sign_up(service, "bob-toasts")
    one = tab("phone-light")
    page = one.page
    page.clock.install()
    one.sign_in(alice.name)
    one.write(bob.name, "Hello", "Text.")
    bob.send(alice.name, "News")
    toast = page.locator(".toast").filter(has_text="News")
    expect(toast).to_be_visible()
    one.examine("toast")
    send, place = page.get_by_role("button", name="Send").bounding_box(), toast.bounding_box()
    assert send and place and send["y"] + send["height"] <= place["y"], (send, place)
    toast.get_by_role("button", name="Read").focus()
    page.clock.run_for(20_000)
    expect(toast).to_be_visible()
    page.get_by_label("Subject").focus()
    page.clock.run_for(5_000)
    expect(toast).to_have_count(0)
    bob.send(alice.name, "More")
    more = page.locator(".toast").filter(has_text="More")
    more.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    expect(more).to_have_count(0)
    expect(page.get_by_label("Subject")).to_be_focused()


def test_the_page_fits_every_window(service: Service, tab: Callable[..., Tab]) -> None:
    """A header of one row from 561 pixels on; at 400 % zoom all of it scrolls; Send is above the keyboard."""
    alice = sign_up(service, "alice-with-quite-a-long-name-for-a-header")
    for number in range(12):
        alice.send(alice.name, f"Number {number}", "Text.\n" * 40)
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    for width in (561, 600, 700, 832, 833, 1000):
        page.set_viewport_size({"width": width, "height": 700})
        height = page.locator(".top").bounding_box()["height"]  # type: ignore[index]
        assert height < 70, f"{width} px wide, the header is {height} px high"
        boxes = [page.locator(f"#tab-{box}").bounding_box() for box in ("inbox", "sent")]
        for tab_height in (box["height"] for box in boxes):  # type: ignore[index]
            assert tab_height < 45, f"{width} px wide, words are broken"
        one.examine(f"width-{width}")
    page.set_viewport_size({"width": 320, "height": 200})
    one.examine("zoomed")
    last = one.row("Number 0")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()
    expect(page.locator(".top")).not_to_be_in_viewport()
    last.click()
    expect(page.get_by_role("heading", name="Number 0")).to_be_in_viewport()
    one.examine("zoomed-message")
    page.keyboard.press("Escape")
    expect(last).to_be_in_viewport()
    page.set_viewport_size({"width": 390, "height": 780})
    page.get_by_role("link", name="Write").click()
    for height in (780, 440):
        page.set_viewport_size({"width": 390, "height": height})
        expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)
    one.examine("keyboard")
    # A keyboard that covers the page makes the part that is seen smaller, and nothing else.
    page.set_viewport_size({"width": 390, "height": 780})
    page.evaluate("""() => { Object.defineProperty(visualViewport, "height", { get: () => 400, configurable: true });
        visualViewport.dispatchEvent(new Event("resize")); }""")
    send = page.get_by_role("button", name="Send")
    until(lambda: send.bounding_box()["y"] < 400, "Send above the keyboard")  # type: ignore[index]


def test_the_current_row_is_seen_in_forced_colours(service: Service, tab: Callable[..., Tab]) -> None:
    """It has an outline, since forced colours remove backgrounds."""
    alice = sign_up(service, "alice-forced")
    for subject in ("One", "Two"):
        alice.send(alice.name, subject)
    one = tab("desk-dark", forced_colors="active")
    one.sign_in(alice.name)
    one.row("One").click()
    expect(one.page.get_by_role("button", name="Mark unread")).to_be_visible()
    # axe-core judges the colours that the style asks for, which are not those that are seen.
    one.picture("forced-colours")
    for place in (one.row("One"), one.page.locator("#tab-inbox")):
        assert place.evaluate("(one) => getComputedStyle(one).outlineStyle") == "solid"
    assert one.row("Two").evaluate("(one) => getComputedStyle(one).outlineStyle") == "none"


def test_the_tools_and_the_account_fit_every_window(service: Service, tab: Callable[..., Tab]) -> None:
    """At 400 % zoom, and in the narrowest list of a desk."""
    alice = sign_up(service, "alice-with-a-name-that-fills-a-narrow-window")
    for number in range(3):
        alice.send(alice.name, f"Number {number}")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    for width, height in ((320, 200), (320, 640), (833, 700)):
        page.set_viewport_size({"width": width, "height": height})
        page.get_by_role("button", name="Search messages").click()
        one.examine(f"search-{width}-{height}")
        page.get_by_role("button", name="End search").click()
        page.get_by_role("button", name="Select", exact=True).click()
        page.get_by_label("Select all").check()
        expect(page.locator("#selected-delete")).to_be_visible()
        one.examine(f"selection-{width}-{height}")
        page.get_by_role("button", name="Done").click()
        page.keyboard.press("?")
        one.examine(f"shortcuts-{width}-{height}")
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Account of").click()
        expect(page.get_by_role("button", name="Invite")).to_be_visible()
        one.examine(f"account-{width}-{height}")
        last = page.get_by_role("button", name="Delete account")
        last.scroll_into_view_if_needed()
        expect(last).to_be_in_viewport()
        page.keyboard.press("Escape")
        expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


def test_selected_rows_are_seen_in_forced_colours(service: Service, tab: Callable[..., Tab]) -> None:
    alice = sign_up(service, "alice-forced-selection")
    for subject in ("One", "Two"):
        alice.send(alice.name, subject)
    one = tab("desk-light", forced_colors="active")
    one.sign_in(alice.name)
    one.page.get_by_role("button", name="Select", exact=True).click()
    one.page.get_by_label("Select “One”").check()
    one.picture("forced-selection")
    outline = "(one) => getComputedStyle(one).outlineStyle"
    assert (one.row("One").evaluate(outline), one.row("Two").evaluate(outline)) == ("solid", "none")


def test_the_focus_is_seen_in_the_tools_and_the_account(service: Service, tab: Callable[..., Tab]) -> None:
    """By Tab alone, through all of them."""
    alice = sign_up(service, "alice-tabs-through")
    alice.send(alice.name, "One")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)

    def walk(end: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            focused, outline = page.evaluate("""() => {
                const one = document.activeElement;
                return [one.id + " " + one.innerText, one === document.body || getComputedStyle(one).outlineStyle];
            }""")
            assert outline != "none", f"nobody sees that {focused} has the focus"
            if end in focused:
                return
        raise AssertionError(f"the focus never comes to {end}")

    walk("search-open")
    page.keyboard.press("Enter")
    walk("End search")
    page.keyboard.press("Enter")
    walk("Select")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    walk("Delete")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Select", exact=True)).to_be_focused()
    page.get_by_role("link", name="Account of").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Invite")).to_be_visible()
    walk("Delete account")


def test_the_page_follows_the_font_size_of_the_browser(service: Service, tab: Callable[..., Tab]) -> None:
    """Of which the layout depends, too."""
    alice = sign_up(service, "alice-large-letters")
    alice.send(alice.name, "Note", "Text.")
    one = tab("desk-light")
    page = one.page
    one.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 28}})
    one.sign_in(alice.name)
    subject = page.locator(".row-subject").first
    assert subject.evaluate("(one) => parseFloat(getComputedStyle(one).fontSize)") == 0.875 * 28
    one.row("Note").click()
    expect(page.get_by_role("button", name="Back")).to_be_visible()
    one.examine("large-letters")


def test_an_empty_list_can_be_scrolled_by_keys(service: Service, tab: Callable[..., Tab]) -> None:
    """Also below the form of a search that finds nothing."""
    alice = sign_up(service, "alice-finds-nothing")
    one = tab("desk-light")
    page = one.page
    one.sign_in(alice.name)
    page.set_viewport_size({"width": 320, "height": 480})
    page.get_by_role("button", name="Search messages").click()
    page.get_by_label("Words").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing found", exact=True)).to_be_visible()
    one.examine("nothing-found-320")


def test_equal_toasts_are_one(service: Service, tab: Callable[..., Tab]) -> None:
    """With their number. Deletions that can be undone each have their own, which names the message."""
    bob, alice = sign_up(service, "bob-equal"), sign_up(service, "alice-equal")
    bob.send(alice.name, "One")
    bob.send(alice.name, "Two")
    one = tab("desk-light")
    page = one.page
    # Toasts stay long enough for a slow machine.
    one.context.add_init_script("""const real = setTimeout;
        window.setTimeout = (action, time) => real(action, time >= 7000 ? 100 * time : time);""")
    one.sign_in(alice.name)
    for _ in range(3):
        one.row("One").click()
        expect(page.get_by_role("button", name="Mark unread")).to_be_visible()
        page.keyboard.press("u")
        expect(page.get_by_text("Nothing selected")).to_be_visible()
    expect(page.locator(".toast")).to_have_count(1)
    expect(page.locator(".toast")).to_contain_text("Marked as unread. (3×)")
    for subject in ("One", "Two"):
        page.get_by_role("button", name="Select", exact=True).click()
        page.get_by_label(f"Select “{subject}”").check()
        page.get_by_role("button", name="Delete").click()
    for subject in ("One", "Two"):
        expect(page.locator(".toast").filter(has_text=f"1 message will be deleted: {subject}")).to_have_count(1)
