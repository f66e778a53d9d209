"""The reference of the API, /docs: it shows every operation, and tries them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pages.browser import Tab
from playwright.sync_api import expect
from support.services import Service
from support.users import sign_up


def test_the_reference_shows_every_operation_and_tries_one(service: Service, tab: Callable[..., Tab]) -> None:
    """With a token that is entered in its dialog."""
    alice = sign_up(service, "alice-docs")
    document = service.openapi_document()
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


def test_the_reference_works_as_it_is_filled_in(service: Service, tab: Callable[..., Tab]) -> None:
    """With the examples as they are, a user signs up, gets a token, sends a message and sees it."""
    document = service.openapi_document()
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
    """An expanded operation of the reference."""
    method, path = operation
    block = one.page.locator(f".opblock-{method}").filter(has=one.page.locator(f'[data-path="{path}"]'))
    if "is-open" not in (block.get_attribute("class") or ""):
        block.locator(".opblock-summary-control").click()
    return block


def execute(one: Tab, operation: tuple[str, str], status: int) -> Any:
    """Executes an operation of the reference with its example values, and returns the request."""
    block = opened(one, operation)
    method, path = operation
    with one.page.expect_response(
        lambda answer: answer.request.method == method.upper() and "/users" in answer.url
    ) as answer:
        block.get_by_role("button", name="Execute").click()
    assert answer.value.status == status, f"{method} {path}: {answer.value.status}: {answer.value.text()}"
    expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text(str(status))
    return answer.value.request
