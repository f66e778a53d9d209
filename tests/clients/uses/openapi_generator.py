"""Uses the client of openapi-generator as its README shows, and compares what it returns with what was sent.

Argument: the address of the service. PYTHONPATH has the folder of the client.
"""

import datetime
import importlib
import sys
import uuid
from collections.abc import Callable

PASSWORD = "correct horse battery"
NOT_FOUND = "urn:problem-type:herolo:not-found"
INVALID = "urn:problem-type:herolo:invalid"


def hour_ago() -> datetime.datetime:
    """A time before all messages of the test, with an offset from UTC and a fraction of a second."""
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    return datetime.datetime.now(zone) - datetime.timedelta(hours=1)


def use(url: str) -> None:
    """Signs up, gets tokens, sends, lists, marks, deletes, and meets errors."""
    api = importlib.import_module("openapi_client")

    def client(token: str | None = None) -> object:
        return api.ApiClient(api.Configuration(host=url, access_token=token))

    users, tokens = api.UsersApi(client()), {}
    for name in ("alice", "bob"):
        user = users.create_user(api.NewUser(username=name, email=f"{name}@example.com", password=PASSWORD))
        assert user.username == name, user
        tokens[name] = users.issue_token(name, api.Password(password=PASSWORD)).access_token
    alice, bob = (api.MessagesApi(client(tokens[name])) for name in ("alice", "bob"))

    new, key = api.NewMessage(receiver="bob", subject="Lunch", message="At noon?"), str(uuid.uuid4())
    sent = alice.send_message("alice", new, idempotency_key=key)
    assert alice.send_message("alice", new, idempotency_key=key) == sent
    assert (sent.receiver, sent.receivers, sent.created_at.utcoffset()) == ("bob", None, datetime.timedelta(0)), sent
    several = alice.send_message(
        "alice", api.NewMessage(receivers=["alice", "bob"], subject="Minutes", message="Here.")
    )
    assert [receiver.username for receiver in several.receivers] == ["alice", "bob"], several

    # It writes the offset without a colon, `+0530`.
    page = bob.list_messages("bob", since=hour_ago(), unread=True, var_from="alice", q="noon lunch")
    assert (page.messages, page.next) == ([sent], None), page
    assert bob.list_messages("bob", since=hour_ago() + datetime.timedelta(hours=2)).messages == []
    first = bob.list_messages_with_http_info("bob", per_page=1)
    assert first.data.messages[0].id == several.id and first.data.next, first.data
    known = {name.lower(): value for name, value in first.headers.items()}["etag"]
    expect(
        api.exceptions.ApiException,
        304,
        lambda: bob.list_messages_with_http_info("bob", per_page=1, if_none_match=known),
    )
    assert alice.list_messages("alice", box="sent").messages[1].receivers[0].username == "bob"

    for read in (True, False, True):
        marked = bob.mark_message("bob", sent.id, api.ReadMark(read=read))
        assert marked.read is read, marked
    assert bob.get_message("bob", sent.id).read
    assert api.UsersApi(client(tokens["bob"])).get_account("bob").unread == 1
    assert len(api.UsersApi(client(tokens["bob"])).export_account("bob").received) == 2
    assert alice.delete_message("alice", sent.id) is None

    gone = expect(api.exceptions.NotFoundException, 404, lambda: bob.get_message("bob", sent.id))
    assert (gone.data.type, gone.data.errors) == (NOT_FOUND, None), gone.data
    nobody = api.NewMessage(receiver="nobody", subject="Lunch", message="At noon?")
    refused = expect(api.exceptions.ApiException, 422, lambda: alice.send_message("alice", nobody))
    assert (refused.data.type, refused.data.errors[0].pointer) == (INVALID, "#/receiver"), refused.data
    stranger = api.MessagesApi(client("x.y.z"))
    expect(api.exceptions.UnauthorizedException, 401, lambda: stranger.list_messages("bob"))
    assert api.UsersApi(client(tokens["bob"])).delete_account("bob", api.Password(password=PASSWORD)) is None
    assert api.ProbesApi(client()).check_readiness().started


def expect(kind: type, status: int, call: Callable[[], object]) -> object:
    """The error that a call of openapi-generator's client must raise, or the answer without a body that it returns."""
    try:
        answer = call()
    except kind as fault:
        assert fault.status == status, fault
        return fault
    assert getattr(answer, "status_code", None) == status, f"{answer} instead of a {status}"
    return answer


if __name__ == "__main__":
    use(sys.argv[1])
