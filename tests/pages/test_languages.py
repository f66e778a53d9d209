"""Languages: the page has the first of those that the browser prefers, else English."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from pages.browser import Tab
from playwright.sync_api import Route, expect
from support.services import REPOSITORY, Service
from support.users import PASSWORD, sign_up

INBOX = REPOSITORY / "service/pages/inbox"
LANGUAGES = sorted(file.stem.removeprefix("texts-") for file in INBOX.glob("texts-*.js"))
GERMAN = {"locale": "de-DE", "timezone_id": "Europe/Berlin"}

# The texts of a language: for each name the number of parameters, or that there are none.
SHAPE = """async (language) => {
  const shape = (texts) => Object.fromEntries(Object.entries(texts).map(([name, text]) =>
    [name, typeof text === "object" ? shape(text) : typeof text === "function" ? text.length : "text"]));
  return shape((await import(`/inbox/texts-${language}.js`)).default);
}"""

# The names of texts that are the same in two languages, whatever their parameters.
SAME = """async ([one, other]) => {
  const same = (texts, others) => Object.entries(texts).flatMap(([name, text]) => {
    if (text.constructor === Object) return same(text, others[name]);
    const words = (each) => JSON.stringify(typeof each === "function" ? each("§", "§", "§") : each);
    return words(text) === words(others[name]) ? [name] : [];
  });
  const load = async (language) => (await import(`/inbox/texts-${language}.js`)).default;
  return same(await load(one), await load(other));
}"""

# What is in the document, whether visible or not, that is a text of the other language and none of the page's own.
# Parameters are any text, since neither their number nor their type matters for the rest.
LEFT_OVER = """async ([own, other]) => {
  const escape = (text) => text.replace(/[.*+?^${}()|[\\]\\\\]/g, "\\\\$&").replaceAll("\\u00a0", " ");
  const pattern = (text) => {
    if (typeof text !== "function") return [text].flat().filter((part) => typeof part === "string").map(escape);
    const filled = [text("§", "§", "§")].flat().filter((part) => part !== "§");
    return filled.map((part) => escape(part).replaceAll(/§|NaN/g, ".+"));
  };
  const all = (texts) => Object.values(texts).flatMap((text) =>
    text.constructor === Object ? all(text) : pattern(text));
  const patterns = async (language) => all((await import(`/inbox/texts-${language}.js`)).default)
    .filter((one) => one.replaceAll(".+", "").match(/\\p{L}{3}/u)).map((one) => new RegExp(`^${one.trim()}$`));
  const [allowed, forbidden] = [await patterns(own), await patterns(other)];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  const found = [document.title.split(" – ")[0]];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.nodeType === Node.TEXT_NODE) {
      if (!node.parentElement.closest("noscript")) found.push(node.data);
    } else for (const name of ["aria-label", "placeholder", "title", "alt"]) found.push(node.getAttribute(name) ?? "");
  }
  const fits = (texts, text) => texts.some((one) => one.test(text));
  return found.map((text) => text.replaceAll(/\\s+/g, " ").trim())
    .filter((text) => text === "undefined" || (fits(forbidden, text) && !fits(allowed, text)));
}"""


def has_only(one: Tab, language: str) -> None:
    """Fails if the document has a text of another language, or none where there must be one."""
    for other in set(LANGUAGES) - {language}:
        found = one.page.evaluate(LEFT_OVER, [language, other])
        assert not found, f"{one.page.url} has {other} texts: {found}"


def look_at(one: Tab, view: str) -> None:
    """Examines a German view in the window as it is, and in the narrowest one: of a phone, or at 400 % zoom."""
    has_only(one, "de")
    one.examine(f"german-{view}")
    size = one.page.viewport_size
    one.page.set_viewport_size({"width": 320, "height": 640 if "phone" in one.look else 200})
    one.examine(f"german-{view}-320")
    assert size
    one.page.set_viewport_size(size)


def has_a_header_that_fits(one: Tab) -> None:
    """Fails if the words of the header are broken or cut off where the windows of phones end, and below."""
    size = one.page.viewport_size
    assert size
    for width in (360, 384, 560, 561, 700, 833):
        one.page.set_viewport_size({"width": width, "height": 700})
        one.examine(f"german-header-{width}")
        heights = one.page.evaluate("['.top', '#tab-inbox'].map((one) => document.querySelector(one).offsetHeight)")
        assert heights[0] < 110 and heights[1] < 45, f"{width} px wide, the header is {heights} px high"
    one.page.set_viewport_size(size)


def sign_in(one: Tab, name: str) -> None:
    """Signs in by the German form."""
    one.open()
    one.page.get_by_label("Benutzername").fill(name)
    one.page.get_by_label("Passwort", exact=True).fill(PASSWORD)
    one.page.get_by_role("button", name="Anmelden").click()
    expect(one.page.get_by_role("heading", name="Posteingang")).to_be_visible()
    expect(one.page.locator("#line-text")).to_have_text("Verbunden")


def answer(status: int, **problem: Any) -> Callable[[Route], None]:
    """Answers a request with a problem."""
    headers = {"Retry-After": "90"} if status == 429 else {}
    return lambda route: route.fulfill(status=status, json={"status": status, **problem}, headers=headers)


def test_all_languages_have_the_same_texts(tab: Callable[..., Tab]) -> None:
    """With as many parameters; all of them are translated and used, and none is missing."""
    one = tab("desk-light")
    one.open()
    named = re.search(r"^const LANGUAGES = (\[.+\]);$", (INBOX / "words.js").read_text(), re.MULTILINE)
    assert named and sorted(json.loads(named[1])) == LANGUAGES
    shapes = {language: one.page.evaluate(SHAPE, language) for language in LANGUAGES}
    names = set(shapes["en"])
    for language, shape in shapes.items():
        assert set(shape) == names, f"{language} and en differ in {set(shape) ^ names}"
        differences = [name for name in names if shape[name] != shapes["en"][name]]
        assert not differences, f"{language} and en differ in {differences}"
        if language != "en":
            same = one.page.evaluate(SAME, ["en", language])
            assert set(same) <= {"escape", "offline"}, f"{language} has the English texts of {same}"
    sources = [file for file in INBOX.iterdir() if file.suffix in (".js", ".html") and "texts-" not in file.name]
    text = "\n".join(file.read_text() for file in sources)
    used = set(re.findall(r'\bt\.(\w+)|data-t(?:-[a-z-]+)?="(\w+)"', text))
    assert {name for pair in used for name in pair if name} == names


@pytest.mark.parametrize("look", ["desk-light", "phone-dark"])
def test_a_german_browser_has_a_german_page(service: Service, tab: Callable[..., Tab], look: str) -> None:
    """Every view, in every window, with no text of another language."""
    bob = sign_up(service, f"bob-deutsch-{look}")
    one = tab(look, **GERMAN)
    one.expects("401", "409", "422")
    page = one.page
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url.rpartition("/")[2]))
    one.open()
    assert [name for name in loaded if name.startswith("texts-")] == ["texts-de.js"]
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page).to_have_title("Anmelden – Herolo")
    look_at(one, "sign-in")
    page.get_by_role("button", name="Konto erstellen").click()
    page.get_by_role("button", name="Konto erstellen").click()
    expect(page.locator("#access-email-error")).to_have_text("Bitte ausfüllen.")
    page.get_by_label("Benutzername").fill(bob.name)
    page.get_by_label("E-Mail-Adresse").fill("nirgendwo")
    page.get_by_label("Passwort", exact=True).fill("12345678")
    page.get_by_role("button", name="Konto erstellen").click()
    expect(page.locator("#access-email-error")).to_contain_text("Muss eine E-Mail-Adresse sein")
    expect(page.locator("#access-password-error")).to_contain_text("Darf keines der häufigsten Passwörter sein")
    look_at(one, "sign-up")
    name = f"anna-deutsch-{look}"
    page.get_by_label("E-Mail-Adresse").fill(f"{name}@example.com")
    page.get_by_label("Passwort", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Konto erstellen").click()
    expect(page.locator("#access-username-error")).to_have_text("Ist schon vergeben.")
    page.get_by_label("Benutzername").fill(name)
    page.get_by_role("button", name="Konto erstellen").click()
    expect(page.get_by_text("Noch keine Nachrichten")).to_be_visible()
    look_at(one, "empty")
    has_a_header_that_fits(one)
    walk_through_messages(one, name, bob.name)
    walk_through_tools(one)
    for view in ("forgotten", "verify/0", "stop/0"):
        page.goto(f"/#/{view}")
        expect(page.get_by_role("link", name=re.compile("Zurück zur Anmeldung|Zum Posteingang"))).to_be_visible()
        look_at(one, view.replace("/", "-"))


@pytest.mark.parametrize("file", ["texts-de.js", "app.js"])
def test_a_page_whose_files_do_not_arrive_says_so_in_both_languages(tab: Callable[..., Tab], file: str) -> None:
    one = tab("phone-light", **GERMAN)
    one.expects("ERR_FAILED")
    page = one.page
    page.route(f"**/inbox/{file}", lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_role("alert").filter(has_text="This page could not be loaded.")).to_be_visible()
    expect(page.get_by_text("Diese Seite ließ sich nicht laden.")).to_be_visible()
    one.examine(f"not-loaded-{file}")
    page.unroute(f"**/inbox/{file}")
    one.reload()
    expect(page.get_by_role("heading", name="Bei Herolo anmelden")).to_be_visible()
    expect(page.locator("#not-loaded")).to_be_hidden()


def test_a_view_that_does_not_arrive_can_be_loaded_again(tab: Callable[..., Tab]) -> None:
    one = tab("desk-light", **GERMAN)
    one.expects("ERR_FAILED")
    page = one.page
    page.route("**/inbox/recovery.js", lambda route: route.abort())
    page.goto("/#/stop/code")
    expect(page.get_by_role("alert").filter(has_text="Diese Ansicht ließ sich nicht laden.")).to_be_visible()
    page.unroute("**/inbox/recovery.js")
    page.get_by_role("button", name="Erneut versuchen").click()
    expect(page.get_by_role("heading", name="Mails über ungelesene Nachrichten abbestellen?")).to_be_visible()


def walk_through_messages(one: Tab, name: str, other: str) -> None:
    """Sends messages, with an error at a field, and reads them."""
    page = one.page
    page.get_by_role("link", name="Neu").click()
    page.get_by_label("An", exact=True).fill(f"{name}, niemand-{name}, {other}")
    page.get_by_label("Betreff").fill("Mittagessen")
    page.get_by_label("Nachricht", exact=True).fill("Um zwölf?")
    page.get_by_role("button", name="Senden").click()
    expect(page.locator("#compose-to-error")).to_have_text(f"Ein Konto mit dem Namen „niemand-{name}“ gibt es nicht.")
    look_at(one, "write")
    page.get_by_label("An", exact=True).fill(f"{name}, {other}")
    page.get_by_role("button", name="Senden").click()
    expect(page.get_by_text("Gesendet.", exact=True)).to_be_visible()
    one.row("Mittagessen").click()
    expect(page.locator(".message-time")).to_have_text(re.compile(r"^(\w+tag|Mittwoch), \d+\. \w+ \d{4} um [\d:]{8}$"))
    expect(page.get_by_role("button", name="Als ungelesen markieren")).to_be_visible()
    page.get_by_role("button", name="Antworten").click()
    page.get_by_label("Nachricht", exact=True).fill("Gern.")
    page.get_by_role("button", name="Senden").click()
    expect(page.locator("#compose")).to_have_count(0)
    page.goto("/#/inbox")
    one.row("Re: Mittagessen").click()
    conversation = page.get_by_role("link", name="Unterhaltung anzeigen (2 Nachrichten)")
    expect(conversation).to_be_visible()
    expect(page.get_by_text("Antwort auf Ihre Nachricht an")).to_be_visible()
    look_at(one, "message")
    conversation.click()
    expect(page.get_by_role("heading", name="Unterhaltung: Mittagessen")).to_be_visible()
    look_at(one, "conversation")
    page.goto("/#/sent")
    expect(page.get_by_text("Von 1 von 2 gelesen")).to_be_visible()
    look_at(one, "sent")


def walk_through_tools(one: Tab) -> None:
    """Search, selection, account, shortcuts and the questions."""
    page = one.page
    page.goto("/#/inbox")
    page.get_by_role("button", name="Nachrichten durchsuchen").click()
    page.get_by_role("button", name="Suchen", exact=True).click()
    expect(page.locator("#search-q-error")).to_have_text("Bitte Wörter, einen Absender oder einen Tag eingeben.")
    look_at(one, "search")
    page.get_by_role("button", name="Suche beenden").click()
    page.get_by_role("button", name="Auswählen", exact=True).click()
    page.get_by_label("Alle auswählen").check()
    expect(page.get_by_text("2 ausgewählt")).to_be_visible()
    look_at(one, "selection")
    page.get_by_role("button", name="Löschen").click()
    look_at(one, "question")
    page.get_by_role("button", name="Behalten").click()
    page.get_by_role("button", name="Fertig").click()
    page.get_by_role("link", name="Konto von").click()
    expect(page.get_by_role("button", name="Einladen")).to_be_visible()
    page.get_by_role("button", name="Einladen").click()
    expect(page.get_by_text("Bitte jetzt kopieren")).to_be_visible()
    expect(page.get_by_text("ist noch nicht bestätigt.")).to_be_visible()
    look_at(one, "account")
    page.get_by_role("button", name="Tastenkürzel").click()
    expect(page.get_by_text("# oder Entf")).to_be_visible()
    look_at(one, "shortcuts")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Abmelden…").click()
    expect(page.get_by_role("dialog", name="Abmelden?")).to_be_visible()
    look_at(one, "sign-out")
    page.get_by_role("button", name="Angemeldet bleiben").click()


def test_german_counts_and_takes_back(service: Service, tab: Callable[..., Tab]) -> None:
    """Plurals, and a deletion that is undone."""
    bob, anna = sign_up(service, "bob-zaehlt"), sign_up(service, "anna-zaehlt")
    for subject in ("Eins", "Zwei", "Drei"):
        bob.send(anna.name, subject)
    one = tab("desk-light", **GERMAN)
    page = one.page
    sign_in(one, anna.name)
    expect(page.get_by_role("img", name="3 ungelesen")).to_be_visible()
    for subjects, words in ((["Eins"], "1 Nachricht"), (["Zwei", "Drei"], "2 Nachrichten")):
        page.get_by_role("button", name="Auswählen", exact=True).click()
        for subject in subjects:
            page.get_by_label(f"„{subject}“ auswählen").check()
        page.get_by_role("button", name="Als gelesen markieren", exact=True).click()
        expect(page.get_by_text(f"{words} als gelesen markiert.")).to_be_visible()
    one.row("Eins").click()
    page.get_by_role("button", name="Löschen").click()
    page.get_by_role("dialog", name="Diese Nachricht löschen?").get_by_role("button", name="Löschen").click()
    expect(page.get_by_text("1 Nachricht wird gelöscht: Eins")).to_be_visible()
    page.get_by_role("button", name="Rückgängig").click()
    expect(page.get_by_text("Die Nachricht ist wieder da.")).to_be_visible()
    expect(one.row("Eins")).to_be_visible()


def test_german_says_what_is_wrong(service: Service, tab: Callable[..., Tab]) -> None:
    """In the words of the page; for a problem that it does not know, in those of the service, which are in English."""
    anna = sign_up(service, "anna-irrt")
    one = tab("phone-light", **GERMAN)
    one.expects("401", "403", "418", "422", "429", "ERR_FAILED")
    page = one.page
    alert = page.locator(".form-error:visible")
    one.open()
    page.get_by_label("Benutzername").fill(anna.name)

    def try_to_sign_in(words: str) -> None:
        page.get_by_label("Passwort", exact=True).fill("falsch")
        page.get_by_role("button", name="Anmelden").click()
        expect(alert).to_have_text(words)

    try_to_sign_in("Benutzername und Passwort passen nicht zusammen.")
    prefix = "urn:problem-type:herolo:"
    page.route("**/token", answer(429, type=f"{prefix}too-many", detail="Too many requests; retry in 90 s."))
    try_to_sign_in("Zu viele Anfragen. Bitte in 90 Sekunden noch einmal versuchen.")
    page.route("**/token", answer(418, type=f"{prefix}teapot", detail="It takes 7200 s to boil."))
    try_to_sign_in("It takes 2 hours to boil.")
    expect(alert.locator("[lang=en]")).to_have_text("It takes 2 hours to boil.")
    one.examine("german-foreign")
    page.unroute("**/token")
    page.get_by_label("Passwort", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    expect(page.get_by_role("heading", name="Posteingang")).to_be_visible()
    page.goto("/#/verify/0")
    page.get_by_role("button", name="Adresse bestätigen").click()
    expect(alert).to_contain_text("Dieser Code ist ungültig")
    page.goto("/#/account")
    form = page.get_by_role("region", name="E-Mail-Adresse")
    form.get_by_label("Neue Adresse").fill("anna@example.com")
    form.get_by_label("Ihr Passwort").fill("falsch")
    form.get_by_role("button", name="Adresse ändern").click()
    expect(page.locator("#email-form-password-error")).to_have_text("Das ist nicht Ihr Passwort.")


@pytest.mark.parametrize(
    ("languages", "language", "time"),
    [
        (["fr-FR"], "en", r"\w+,? \d+ \w+ \d{4} at [\d:]{8}"),
        (["fr-FR", "en-US"], "en", r"\w+, \w+ \d+, \d{4} at [\d:]+\s[AP]M"),
        (["fr-FR", "DE-at", "en-GB"], "de", r"\w+, \d+\. \w+ \d{4} um [\d:]{8}"),
    ],
)
def test_the_first_language_that_there_is_counts(
    service: Service, tab: Callable[..., Tab], languages: list[str], language: str, time: str
) -> None:
    """With its formats; British ones if there is none."""
    anna = sign_up(service, f"anna-{language}-{languages[-1].lower()}")
    anna.send(anna.name, "Date")
    one = tab("desk-dark")
    one.context.add_init_script(f"Object.defineProperty(navigator, 'languages', {{ get: () => {languages} }})")
    page = one.page
    if language == "en":
        one.sign_in(anna.name)
    else:
        sign_in(one, anna.name)
    expect(page.locator("html")).to_have_attribute("lang", language)
    one.row("Date").click()
    expect(page.locator(".message-time")).to_have_text(re.compile(f"^{time}$"))
