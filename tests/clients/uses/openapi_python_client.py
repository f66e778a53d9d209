"""Uses the client of openapi-python-client as its README shows, and compares what it returns with what was sent.

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
TOKEN_INVALID = "urn:problem-type:herolo:token-invalid"


def hour_ago() -> datetime.datetime:
    """A time before all messages of the test, with an offset from UTC and a fraction of a second."""
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    return datetime.datetime.now(zone) - datetime.timedelta(hours=1)


def use(url: str) -> None:
    """Signs up, gets tokens, sends, lists, marks, deletes, and meets errors."""
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


if __name__ == "__main__":
    use(sys.argv[1])
