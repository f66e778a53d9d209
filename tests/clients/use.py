"""Uses the generated clients in Python against the real service, each as its README shows.

Each signs up, gets a token, sends (twice with one key, and to several), lists with `since`, marks, deletes, and meets
errors. What they get is compared with what was sent; that they parse it at all is what generating them must achieve.
"""

import argparse
import datetime
import importlib
import json
import sys
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path

PASSWORD = "correct horse battery"
NOT_FOUND = "urn:problem-type:herolo:not-found"
INVALID = "urn:problem-type:herolo:invalid"
TOKEN_INVALID = "urn:problem-type:herolo:token-invalid"


def hour_ago() -> datetime.datetime:
    """A moment before all that is sent here, with an offset and a fraction of its own."""
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    return datetime.datetime.now(zone) - datetime.timedelta(hours=1)


def use_openapi_generator(url: str) -> None:
    """The client of openapi-generator."""
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


def use_openapi_python_client(url: str) -> None:
    """The client of openapi-python-client."""
    herolo = importlib.import_module("herolo_client")
    models = importlib.import_module("herolo_client.models")

    def operation(tag: str, name: str) -> Callable:
        return importlib.import_module(f"herolo_client.api.{tag}.{name}").sync

    anybody = herolo.Client(base_url=url)
    own = {}
    for name in ("carol", "dave"):
        body = models.NewUser(username=name, email=f"{name}@example.com", password=PASSWORD)
        user = operation("users", "create_user")(client=anybody, body=body)
        assert isinstance(user, models.User), user
        token = operation("users", "issue_token")(name, client=anybody, body=models.Password(password=PASSWORD))
        own[name] = herolo.AuthenticatedClient(base_url=url, token=token.access_token)
    carol, dave = own["carol"], own["dave"]

    send, read = operation("messages", "send_message"), operation("messages", "get_message")
    new, key = models.NewMessage(receiver="dave", subject="Lunch", message="At noon?"), str(uuid.uuid4())
    sent = send("carol", client=carol, body=new, idempotency_key=key)
    assert isinstance(sent, models.Message) and send("carol", client=carol, body=new, idempotency_key=key) == sent
    several = models.NewMessage(receivers=["carol", "dave"], subject="Minutes", message="Here.")
    assert len(send("carol", client=carol, body=several).receivers) == 2

    list_messages = operation("messages", "list_messages")
    page = list_messages("dave", client=dave, since=hour_ago(), unread=True, from_="carol", q="noon")
    assert (page.messages, page.next_) == ([sent], None), page
    assert list_messages("dave", client=dave, since=hour_ago() + datetime.timedelta(hours=2)).messages == []

    mark = operation("messages", "mark_message")
    for is_read in (True, False, True):
        assert mark("dave", sent.id, client=dave, body=models.ReadMark(read=is_read)).read is is_read
    assert operation("users", "get_account")("dave", client=dave).unread == 1
    deleted = importlib.import_module("herolo_client.api.messages.delete_message").sync_detailed(
        "carol", sent.id, client=carol
    )
    assert deleted.status_code == 204, deleted

    gone = read("dave", sent.id, client=dave)
    assert isinstance(gone, models.Problem) and (gone.type_, gone.status) == (NOT_FOUND, 404), gone
    refused = send("carol", client=carol, body=models.NewMessage(receiver="nobody", subject="s", message="m"))
    assert (refused.type_, refused.errors[0].pointer) == (INVALID, "#/receiver"), refused
    stranger = herolo.AuthenticatedClient(base_url=url, token="x.y.z")
    assert list_messages("dave", client=stranger).type_ == TOKEN_INVALID


def use_models(url: str) -> None:
    """The models of datamodel-code-generator, over HTTP by hand: they write what is sent and read what is answered."""
    models = importlib.import_module("models")
    token = ""

    def ask(method: str, path: str, body: object = None) -> bytes:
        data = None if body is None else body.model_dump_json(exclude_none=True).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.read()

    erin = models.NewUser(username="erin", email="erin@example.com", password=PASSWORD)
    models.User.model_validate_json(ask("POST", "/users", erin))
    # With the password itself: a model of secrets would have signed up with asterisks.
    token = models.AccessToken.model_validate_json(
        ask("POST", "/users/erin/token", models.Password(password=PASSWORD))
    ).access_token
    new = models.NewMessage(receivers=["erin"], subject="Lunch", message="At noon?")
    sent = models.Message.model_validate_json(ask("POST", "/users/erin/messages", new))
    marked = ask("PATCH", f"/users/erin/messages/{sent.id}", models.ReadMark(read=True))
    assert models.Message.model_validate_json(marked).read
    feed = models.Feed.model_validate_json(ask("GET", "/users/erin/messages"))
    assert [message.id for message in feed.messages] == [sent.id] and feed.next is None
    assert models.Account.model_validate_json(ask("GET", "/users/erin")).unread == 0
    export = models.Export.model_validate_json(ask("GET", "/users/erin/export"))
    assert export.received[0].created_at == sent.created_at
    problem = models.Problem.model_validate_json(
        ask("PATCH", f"/users/erin/messages/{sent.id}", models.Health(started=True))
    )
    assert str(problem.type) == INVALID and {error.pointer for error in problem.errors} == {"#/read", "#/started"}, (
        problem
    )


def main() -> None:
    """Uses one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="where the service listens")
    parser.add_argument("--clients", type=Path, required=True, help="the folder that they were generated into")
    given = parser.parse_args()
    sys.path[:0] = [str(given.clients / name) for name in ("python", "openapi-python-client", "models")]
    for use in (use_openapi_generator, use_openapi_python_client, use_models):
        use(given.url)
        print(f"ok - {use.__doc__.rstrip('.')}", flush=True)
    document = json.loads((given.clients / "openapi.json").read_text())
    print(f"clients of {len(document['paths'])} paths: generated for 7 languages, 2 of them and the models used")


if __name__ == "__main__":
    main()
