"""Uses the models of datamodel-code-generator over HTTP, and compares what they read with what was sent.

Argument: the address of the service. PYTHONPATH has the folder of the client.
"""

import importlib
import sys
import urllib.error
import urllib.request

PASSWORD = "correct horse battery"
INVALID = "urn:problem-type:herolo:invalid"


def use(url: str) -> None:
    """The models write the bodies of requests and read those of responses."""
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


if __name__ == "__main__":
    use(sys.argv[1])
