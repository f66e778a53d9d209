"""The operations that are measured: for each the same pieces of work as statements and as requests.

A piece of work is a row of values for `floor.lua` and a line of a request for `service.lua`. What is in the data is
known from `fill`, by arithmetic.
"""

import base64
import hashlib
import hmac
import importlib.machinery
import importlib.util
import json
import pathlib
import random
import time
import zlib

HERE = pathlib.Path(__file__).parent
# The key of the service that is measured; nothing else uses it.
SIGNING_KEY = hashlib.sha256(b"bench").digest()
TOKEN_KEYS = "bench:" + base64.b64encode(SIGNING_KEY).decode()
# Pieces of work that are used over and over, where the work changes nothing that matters.
PIECES = 5_000
# More than any message has.
NO_ID = 2**53
TEXT = "lorem ipsum " * 8


def load_fill():
    """The program `fill` as a module; its name has no suffix, as programs' names here."""
    loader = importlib.machinery.SourceFileLoader("fill", str(HERE / "fill"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fill", loader))
    loader.exec_module(module)
    return module


fill = load_fill()


class Data:
    """A filled database, and what is left in it to delete."""

    def __init__(self, name, messages, users):
        self.name, self.messages, self.users = name, messages, users

    def receiver(self, message):
        return fill.receiver(message, self.users)

    def sender(self, message):
        return fill.sender(message, self.users)


class Tokens:
    """Access tokens for users, as the service would issue them."""

    def __init__(self):
        self.made = {}

    def of(self, user):
        if user not in self.made:
            self.made[user] = make_token(user)
        return self.made[user]


def make_token(user):
    now = int(time.time())
    header = {"typ": "at+jwt", "alg": "HS256", "kid": "bench"}
    claims = {"iss": "herolo", "aud": "herolo-api", "sub": str(user), "iat": now, "exp": now + 86_400, "epoch": 0}
    signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{signed}.{encoded(hmac.new(SIGNING_KEY, signed.encode(), hashlib.sha256).digest())}"


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Piece:
    """Values of the statements; and the request: its method, the rest of its path, its user and its body."""

    def __init__(self, values, method, path, user, body=""):
        self.values, self.method, self.path, self.user, self.body = values, method, path, user, body


def page(data, random_numbers, _):
    for _ in range(PIECES):
        user = random_numbers.randint(1, data.users)
        yield Piece((user, NO_ID, 21), "GET", "", user)


def great_page(data, random_numbers, _):
    """Pages anywhere in the one great inbox."""
    for _ in range(PIECES):
        before = random_numbers.randint(data.messages // 2, data.messages)
        yield Piece((1, before, 21), "GET", f"?before={before}", 1)


def read(data, random_numbers, _):
    for _ in range(PIECES):
        message = random_numbers.randint(1, data.messages)
        user = data.receiver(message)
        yield Piece((user, message), "GET", f"/{message}", user)


def unknown(data, random_numbers, _):
    for number in range(PIECES):
        user = random_numbers.randint(1, data.users)
        yield Piece((user, NO_ID - number), "GET", f"/{NO_ID - number}", user)


def send(data, random_numbers, _):
    for number in range(PIECES):
        user, receiver = random_numbers.randint(1, data.users), random_numbers.randint(1, data.users)
        new = {"receiver": f"user{receiver}", "subject": f"Subject {number}", "message": TEXT}
        values = (user, new["subject"], TEXT, "2026-01-01 00:00:00.123", new["receiver"])
        yield Piece(values, "POST", "", user, json.dumps(new))


def keyed_send(data, random_numbers, messages):
    """As the guide recommends: each with a key of its own."""
    return send(data, random_numbers, messages)


def mark(data, random_numbers, _):
    """All messages as read, then all as unread: a mark that changes nothing takes less work."""
    messages = random_numbers.sample(range(1, data.messages + 1), min(PIECES, data.messages))
    for is_read in (1, 0):
        for message in messages:
            user = data.receiver(message)
            yield Piece((user, message, is_read), "PATCH", f"/{message}", user, json.dumps({"read": bool(is_read)}))


def delete(data, _, messages):
    """As sender. Each piece can be done once."""
    for message in messages:
        user = data.sender(message)
        yield Piece((user, message, data.receiver(message)), "DELETE", f"/{message}", user)


def remove(data, _, messages):
    """As receiver. Each piece can be done once."""
    for message in messages:
        # Who wrote to themselves would delete as sender.
        if data.receiver(message) != data.sender(message):
            user = data.receiver(message)
            yield Piece((user, message), "DELETE", f"/{message}", user)


def great_newest(data, *_):
    """The newest messages of the one great inbox."""
    yield Piece((1, NO_ID, 21), "GET", "", 1)


OPERATIONS = {
    operation.__name__: operation
    for operation in (page, great_newest, great_page, read, unknown, send, keyed_send, mark, delete, remove)
}
# They use up messages, so each run needs new ones.
CONSUMING = {"delete", "remove"}
# Each request has an `Idempotency-Key`.
KEYED = {"keyed_send"}
# These are answered by a 404.
REFUSED = {"unknown"}


def request_line(method, path, token, body, number, is_once=False):
    """A request as `service.lua` reads it, with a mark that no other number has."""
    mark = f"{zlib.crc32(b'%d' % number):08x}"
    return f"{method}\t{path}\t{token}\t{body}\t{mark}\t{'once' if is_once else ''}\n"


def write_work(folder, operation, data, tokens, messages=()):
    """Writes the work as two files, for the statements and for the requests."""
    floor, service = folder / f"{operation}.floor", folder / f"{operation}.service"
    with open(floor, "w", encoding="utf-8") as values, open(service, "w", encoding="utf-8") as requests:
        for number, piece in enumerate(OPERATIONS[operation](data, random.Random(operation), messages)):
            values.write("\t".join(map(str, piece.values)) + "\n")
            path = f"/users/user{piece.user}/messages{piece.path}"
            requests.write(
                request_line(piece.method, path, tokens.of(piece.user), piece.body, number, operation in KEYED)
            )
    return floor, service
