"""The systems that can be measured beside each other: an adapter for each.

To add a system, write a subclass of `System` here. Its `name` becomes an option of the command, and what it says of
itself is printed below the results.
"""

import json
import os
import secrets
from typing import ClassVar

PAGE = 20  # messages of a page


class Problem(Exception):
    """What ends the run; its text names the fix."""


class System:
    """An adapter: the same operations for every system, as requests of its own API."""

    name = ""
    # What a successful response to a send promises; who may send and read; what else a reader has to know.
    acknowledges = authenticates = differs = ""
    fixes: ClassVar = {}  # what to do about a response with this status

    def __init__(self, url):
        self.url, self.version = url, "of unknown version"
        self.http = None  # a session of aiohttp, which raises an error for a refusal; each run has another one

    async def prepare(self, texts):
        """Makes what a run needs, such as accounts, and sends the messages that `page` will return."""
        for text in texts:
            await self.send(text)

    async def send(self, text):
        """Sends a message, and returns once it has been acknowledged."""

    async def page(self):
        """The texts of the 20 newest messages."""

    async def listen(self):
        """Yields None once it listens, and then the text of each message as it arrives."""
        yield

    async def clean_up(self):
        """Removes what `prepare` has made."""

    async def call(self, method, path, **options):
        """The body of a response."""
        async with self.http.request(method, self.url + path, **options) as response:
            return await response.read()


class Herolo(System):
    """Two accounts, made for the run: one sends, the other receives."""

    name = "herolo"
    acknowledges = "committed to MySQL, and as durable as its settings make a commit (those of `make run` do not)"
    authenticates = "each request by an access token; its account is looked up in the database"
    differs = "a message has a sender, a subject, a receiver and a status (read or unread)"
    fixes: ClassVar = {
        403: "open its sign-ups (HEROLO_SIGN_UPS=open): the run needs two accounts",
        429: "lift its rate limit of sends (HEROLO_LIMIT_SENDS=0)",
    }

    def __init__(self, url):
        super().__init__(url)
        self.accounts, self.tokens = [], {}
        self.password, run = secrets.token_urlsafe(24), secrets.token_hex(4)
        self.sender, self.receiver = f"bench-{run}-a", f"bench-{run}-b"

    async def prepare(self, texts):
        self.version = json.loads(await self.call("GET", "/openapi.json"))["info"]["version"]
        for user in (self.sender, self.receiver):
            account = {"username": user, "email": f"{user}@example.com", "password": self.password}
            await self.call("POST", "/users", json=account)
            self.accounts.append(user)
            self.tokens[user] = await self.sign_in(user)
        await super().prepare(texts)

    async def send(self, text):
        message = {"receiver": self.receiver, "subject": "Benchmark", "message": text}
        await self.call("POST", f"/users/{self.sender}/messages", json=message, headers=self.tokens[self.sender])

    async def page(self):
        body = await self.call("GET", f"/users/{self.receiver}/messages", headers=self.tokens[self.receiver])
        return [message["message"] for message in json.loads(body)["messages"]]

    async def listen(self):
        url, event = f"{self.url}/users/{self.receiver}/events", b""
        async with self.http.get(url, headers=self.tokens[self.receiver]) as response:
            async for line in response.content:
                field, _, value = line.strip().partition(b":")
                if field == b"event":
                    event = value.strip()
                elif field == b"data" and event in (b"hello", b"message"):
                    yield json.loads(value).get("message")

    async def clean_up(self):
        for user in self.accounts:
            token = self.tokens.get(user) or await self.sign_in(user)
            await self.call("POST", f"/users/{user}/deletion", json={"password": self.password}, headers=token)

    async def sign_in(self, user):
        answer = await self.call("POST", f"/users/{user}/token", json={"password": self.password})
        return {"Authorization": f"Bearer {json.loads(answer)['access_token']}"}


class Ntfy(System):
    """Two topics with random names: one is sent to, the other is read."""

    name = "ntfy"
    acknowledges = (
        "cached in memory; with `cache-file` in SQLite, flushed for each message unless `cache-startup-queries` or "
        "`cache-batch-size` say otherwise; kept for `cache-duration`"
    )
    authenticates = "nobody, unless `auth-file` is set; then each request by the token in NTFY_TOKEN"
    differs = (
        "no pages: a read returns all messages of a topic, so the topic that is read has just 20; a message goes to "
        "streams before it is cached"
    )
    fixes: ClassVar = {
        **dict.fromkeys((401, 403), "set NTFY_TOKEN to a token that may write and read topics named bench-*"),
        429: "exempt this machine (`visitor-request-limit-exempt-hosts`), and raise `visitor-subscription-limit`",
    }

    def __init__(self, url):
        super().__init__(url)
        token, self.topic = os.environ.get("NTFY_TOKEN", "").strip(), f"bench-{secrets.token_hex(8)}"
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def prepare(self, texts):
        for text in texts:
            await self.send(text, "-page")

    async def send(self, text, suffix=""):
        await self.call("POST", f"/{self.topic}{suffix}", data=text.encode(), headers=self.headers)

    async def page(self):
        body = await self.call("GET", f"/{self.topic}-page/json?poll=1&since=all", headers=self.headers)
        return [json.loads(line)["message"] for line in body.splitlines()]

    async def listen(self):
        async with self.http.get(f"{self.url}/{self.topic}/json", headers=self.headers) as response:
            async for line in response.content:
                event = json.loads(line)
                if event["event"] in ("open", "message"):
                    yield event.get("message")


class Gotify(System):
    """An application that sends, and a client of the same user that reads."""

    name = "gotify"
    acknowledges = "committed to its database: to SQLite, unless configured otherwise, flushed for each message"
    authenticates = "each request by a token, which is looked up in the database"
    differs = "messages stay in the application of GOTIFY_APPLICATION_TOKEN, so delete it afterwards"
    fixes: ClassVar = dict.fromkeys(
        (401, 403), "set GOTIFY_APPLICATION_TOKEN to a token of its page Apps, GOTIFY_CLIENT_TOKEN to one of Clients"
    )

    def __init__(self, url):
        super().__init__(url)
        tokens = [os.environ.get(f"GOTIFY_{kind}_TOKEN", "").strip() for kind in ("APPLICATION", "CLIENT")]
        if not all(tokens):
            raise Problem(f"gotify needs two tokens: {self.fixes[401]}")
        self.sending, self.reading = ({"X-Gotify-Key": token} for token in tokens)

    async def prepare(self, texts):
        self.version = json.loads(await self.call("GET", "/version"))["version"]
        await super().prepare(texts)

    async def send(self, text):
        await self.call("POST", "/message", json={"title": "Benchmark", "message": text}, headers=self.sending)

    async def page(self):
        body = await self.call("GET", f"/message?limit={PAGE}", headers=self.reading)
        return [message["message"] for message in json.loads(body)["messages"]]

    async def listen(self):
        async with self.http.ws_connect(f"{self.url}/stream", headers=self.reading) as stream:
            yield None
            async for message in stream:
                yield json.loads(message.data)["message"]


SYSTEMS = {system.name: system for system in System.__subclasses__()}
