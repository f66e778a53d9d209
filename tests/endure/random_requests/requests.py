"""Requests as bytes: drafts as they are written, and with changes of their target, headers, token and body."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from random import Random
from urllib.parse import quote

from endure.random_requests.grammar import Draft, World
from endure.random_requests.values import NUMBERS, TEXTS, changed_body, flipped, short_text, text

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "FETCH")
PATHS = (
    *("/", "/docs", "/docs/docs.js", "/unread-notices/abc/stop", "/favicon.ico", "/robots.txt", "/.env", "*", "//"),
    *("/users/", "/users//messages", "/users/../livez", "/livez/", "/%2e%2e/livez", "/users%2falice", "/%00", "/%zz"),
    *("http://herolo/livez", "http://herolo:99999/", "https://other/livez", "/livez#a", "/livez?", "/livez?a=%ff"),
    *("/users/alice/messages/1/2", "/users/alice;a=b/messages", "/index.html", "/{a}", "/|", "\\livez", "?"),
)
HEADERS: dict[str, tuple[str, ...]] = {
    "Accept": ("*/*", "application/json", "text/html", "application/problem+json;q=0.1", "text/*;q=9", "\xff", ",,,"),
    "Accept-Encoding": ("gzip", "identity;q=0", "br, gzip;q=0.5", "*;q=0", "\0x"),
    "Accept-Language": ("de", "en;q=2", "x" * 300),
    "Content-Type": (
        *("application/json", "application/json; charset=utf-16", "text/plain", "application/x-www-form-urlencoded"),
        *("multipart/form-data", "multipart/form-data; boundary=x", "application/xml", ";;;", "/", "", "\xff"),
    ),
    "Content-Encoding": ("gzip", "identity", "br", "GZIP, identity", "\xff"),
    "Cookie": ("a=b; a=c", "\xff=\xff", ";;="),
    "Expect": ("100-continue", "nothing"),
    "Forwarded": ("for=192.0.2.1", 'for="[::1'),
    "If-Match": ("*", '"a"'),
    "If-Modified-Since": ("Sat, 28 Nov 2026 00:00:00 GMT", "never"),
    "If-None-Match": ("*", '"a"', 'W/"a", "b"', 'W/"', "a", "\xff", ", ," * 90),
    "Idempotency-Key": ("a", "a b", "x" * 255, "x" * 256, "", "\xff", "é", '"quoted"', "same"),
    "Last-Event-ID": ("0", "1", "9-8", "12-3+1_9+2", "9223372036854775807", "1" * 4097, "-1", "1.2.3", "\xff", ""),
    "Origin": ("https://app.example.com", "null", "://", "\xff"),
    "Access-Control-Request-Method": ("PATCH", "TRACE", "\xff"),
    "Access-Control-Request-Headers": ("authorization, x-a", "", "\xff"),
    "Range": ("bytes=0-0", "bytes=9-1", "lines=1-2"),
    "TE": ("trailers", "gzip"),
    "Upgrade": ("websocket", "h2c"),
    "X-HTTP-Method-Override": ("DELETE",),
    "X-Forwarded-For": ("192.0.2.1, 198.51.100.2", "a" * 300),
    "X-Real-IP": ("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "not an address", "", "\xff", "1.2.3.4.5"),
    "X-Request-Id": ("a", "x" * 64, "x" * 65, "a b", "\xff", '"}\\n', "é"),
}
# What HTTP itself allows in the target of a request (RFC 9112 section 3.2) and in the value of a header (RFC 9110
# section 5.5). The HTTP library answers others with a bare status.
TARGET = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
MOST_HEADERS, MOST_TARGET, MOST_HEAD = 60, 8_000, 12_000  # above which the library may refuse them


@dataclasses.dataclass
class Request:
    """A request as it is sent."""

    data: bytes
    method: str
    operation: str  # whose answers it may have; nothing if it may be another's, or none's
    kind: str  # `valid`, `changed` or `malformed`
    is_http: bool  # whether it must have an answer of the service, rather than a bare one of the HTTP library
    draft: Draft


@dataclasses.dataclass
class Parts:
    """Those of a request that is being changed."""

    draft: Draft
    method: str
    segments: list[str]  # of the path, encoded
    query: list[tuple[str, str]]  # encoded
    headers: list[tuple[str, str]]  # as Latin-1
    body: bytes | None
    operation: str
    target: str | None = None  # instead of path and query
    is_chunked: bool = False


def parts_of(draft: Draft, endpoints: Mapping[str, tuple[str, str]]) -> Parts:
    """The parts of a valid request. `endpoints` has the method and the path of each operation."""
    method, path = endpoints[draft.operation]
    path = path.format(**{name: quote(value, safe="") for name, value in draft.path.items()})
    headers = [*draft.headers.items()]
    if draft.caller:
        headers.append(("Authorization", f"Bearer {draft.caller.token}"))
    body = None if draft.fields is None else json.dumps(draft.fields, ensure_ascii=False).encode()
    if body is not None:
        headers.append(("Content-Type", "application/json"))
    query = [(name, quote(value, safe="")) for name, value in draft.query.items()]
    return Parts(draft, method, path.split("/")[1:], query, headers, body, draft.operation)


def written(dice: Random, parts: Parts, kind: str) -> Request:
    """The bytes of the parts, framed as HTTP has it."""
    target = parts.target
    if target is None:
        query = "&".join(f"{name}={value}" if value or dice.random() < 0.5 else name for name, value in parts.query)
        target = f"/{'/'.join(parts.segments)}{'?' if parts.query else ''}{query}"
    lines = [f"{parts.method} {target} HTTP/1.1", "Host: herolo"]
    lines += [f"{name}: {value}" for name, value in parts.headers]
    body = parts.body or b""
    if parts.is_chunked:
        lines.append("Transfer-Encoding: chunked")
        body = chunked(dice, body)
    elif parts.body is not None:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines).encode("latin-1", errors="replace")
    return Request(
        b"%b\r\n\r\n%b" % (head, body),
        *(parts.method, parts.operation, kind),
        is_http=is_http(parts, target.encode("latin-1", errors="replace"), len(head)),
        draft=parts.draft,
    )


def is_http(parts: Parts, target: bytes, length: int) -> bool:
    """Whether HTTP allows such a head."""
    values = [value.encode("latin-1", errors="replace") for _, value in parts.headers]
    return (
        parts.method.isupper()
        and parts.method != "CONNECT"
        and TARGET.fullmatch(target) is not None
        and all(VALUE.fullmatch(value) for value in values)
        and len(values) <= MOST_HEADERS
        and len(target) <= MOST_TARGET
        and length <= MOST_HEAD
    )


def chunked(dice: Random, body: bytes) -> bytes:
    """The body in chunks of random sizes (RFC 9112 section 7.1)."""
    chunks = []
    while body:
        size = dice.choice((1, 2, 7, 100, 4096, len(body)))
        chunk, body = body[:size], body[size:]
        chunks.append(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        if len(chunks) > 50:
            chunks.append(b"%x\r\n%b\r\n" % (len(body), body) if body else b"")
            break
    return b"".join([*chunks, b"0\r\n\r\n"])


# --- Changes ---


def _other_method(dice: Random, _: World, parts: Parts) -> None:
    parts.method, parts.operation = dice.choice(METHODS), ""


def _head(_: Random, __: World, parts: Parts) -> None:
    """HEAD wherever there is GET."""
    if parts.method == "GET" and parts.operation != "streamEvents":
        parts.method = "HEAD"


def _other_path(dice: Random, _: World, parts: Parts) -> None:
    parts.target, parts.operation = dice.choice(PATHS), ""


def _odd_segment(dice: Random, world: World, parts: Parts) -> None:
    """Another value of a parameter of the path: a number at a border, an odd text, another's name."""
    names = [quote(value, safe="") for value in parts.draft.path.values()]
    places = [place for place, segment in enumerate(parts.segments) if segment in names]
    if not places:
        return _other_path(dice, world, parts)
    place, chance = dice.choice(places), dice.random()
    if chance < 0.4:
        new = quote(dice.choice(NUMBERS), safe="")
    elif chance < 0.6:
        new = dice.choice(world.others)
    elif chance < 0.7:
        new = parts.segments[place].upper()
    elif chance < 0.8:
        new = "".join(f"%{ord(letter):02x}" for letter in parts.segments[place] if letter != "%")
    else:
        new = quote(short_text(dice), safe="", errors="surrogatepass")
    parts.segments[place], parts.operation = new, ""
    return None


def _broken_path(dice: Random, _: World, parts: Parts) -> None:
    """Segments that are empty, of dots, left out, added, or with bytes that are no text."""
    place, parts.operation = dice.randrange(len(parts.segments) + 1), ""
    if dice.random() < 0.2 and parts.segments:
        del parts.segments[place - 1]
    else:
        odd = ("", ".", "..", "%2e%2e", "%00", "%ff", "%c3%28", "%", "%zz", "é", "a", "messages", ";a", "%2f", "<", '"')
        parts.segments.insert(place, dice.choice(odd))


def _odd_query(dice: Random, _: World, parts: Parts) -> None:
    """Parameters with odd values, twice, or unknown."""
    known = ("box", "conversation", "unread", "from", "since", "q", "per_page", "page", "before")
    for _ in range(dice.choice((1, 1, 2))):
        name = dice.choice(known) if dice.random() < 0.9 else quote(short_text(dice), errors="surrogatepass")
        chance = dice.random()
        if chance < 0.45:
            value = quote(dice.choice(NUMBERS))
        elif chance < 0.95:
            value = quote(short_text(dice), safe="", errors="surrogatepass")
        else:
            value = dice.choice(("%", "%ff", "%zz", '"', "+", "é", "[]", "a=b", "<", "#", "%00", "&&"))
        if chance < 0.5:
            parts.query = [each for each in parts.query if each[0] != name]
        parts.query.append((name, value))


def _odd_token(dice: Random, world: World, parts: Parts) -> None:
    """The token of another account, or one that is cut, forged, of another scheme, twice, or not there."""
    found = [value for name, value in parts.headers if name == "Authorization"]
    parts.headers = [(name, value) for name, value in parts.headers if name != "Authorization"]
    value = found[0] if found else f"Bearer {world.own.token}"
    other = world.logged_in() or world.own
    changes: tuple[Callable[[], list[str]], ...] = (
        list,
        lambda: [f"Bearer {other.token}"],
        lambda: [value[: dice.randrange(len(value) + 1)]],
        lambda: [value[:-8] + dice.choice(("AAAAAAAA", "é", "_", "=", "."))],
        lambda: [flipped(dice, value.encode("latin-1")).decode("latin-1")],
        lambda: [value.replace("Bearer", dice.choice(("bearer", "Basic", "", "Bearer ", "DPoP")))],
        lambda: [value, dice.choice((value, f"Bearer {other.token}"))],
        lambda: [f"Bearer {dice.choice(TEXTS)}".encode(errors="replace").decode("latin-1")],
        lambda: [f"Bearer {'.'.join(dice.choice(('e30', 'AA', 'x' * 500, '')) for _ in range(3))}"],
    )
    parts.headers += [("Authorization", each) for each in dice.choice(changes)()]


def _odd_header(dice: Random, _: World, parts: Parts) -> None:
    """Another header, one twice, or one with an odd value."""
    name = dice.choice(tuple(HEADERS))
    value = dice.choice(HEADERS[name])
    if dice.random() < 0.1:
        value = short_text(dice).encode(errors="replace").decode("latin-1")
    if dice.random() < 0.7:
        parts.headers = [each for each in parts.headers if each[0] != name]
    parts.headers.append((name.lower() if dice.random() < 0.3 else name, value))


def _many_headers(dice: Random, _: World, parts: Parts) -> None:
    """Many headers, or a large one."""
    if dice.random() < 0.5:
        parts.headers += [(f"X-{number}", "a") for number in range(dice.choice((10, 50, 99, 200)))]
    else:
        parts.headers.append(("X-Large", "a" * dice.choice((1_000, 8_000, 20_000, 70_000))))


def _odd_body(dice: Random, _: World, parts: Parts) -> None:
    """A change of the body; a body where there is none."""
    if parts.draft.fields is None:
        parts.body = dice.choice((b"", b"{}", b"a", b"_method=delete", b"\0" * 1000))
    else:
        parts.body = changed_body(dice, parts.draft.fields)


def _other_body(dice: Random, _: World, parts: Parts) -> None:
    """No body, or one of odd text."""
    parts.body = dice.choice((None, b"", text(dice).encode(errors="surrogatepass")))


def _chunked(_: Random, __: World, parts: Parts) -> None:
    """The same body in chunks."""
    parts.is_chunked = parts.body is not None


def _repeated_key(dice: Random, _: World, parts: Parts) -> None:
    """A key that another request has had."""
    parts.headers = [each for each in parts.headers if each[0] != "Idempotency-Key"]
    parts.headers.append(("Idempotency-Key", f"repeated-{dice.randrange(50)}"))


Change = Callable[[Random, World, Parts], None]
ANYWHERE: tuple[tuple[Change, float], ...] = (
    *((_odd_header, 22), (_odd_segment, 10), (_odd_token, 8), (_other_method, 4), (_head, 3), (_broken_path, 4)),
    *((_other_path, 2), (_many_headers, 1), (_odd_query, 4), (_other_body, 1)),
)
WITH_BODY: tuple[tuple[Change, float], ...] = (*ANYWHERE, (_odd_body, 45), (_chunked, 8))
OF_LISTS: tuple[tuple[Change, float], ...] = (*ANYWHERE, (_odd_query, 40))
OF_SENDS: tuple[tuple[Change, float], ...] = (*WITH_BODY, (_repeated_key, 5))


def changed(dice: Random, world: World, parts: Parts) -> Parts:
    """The parts with one change, seldom more."""
    if parts.draft.operation == "sendMessage":
        changes = OF_SENDS
    elif parts.draft.operation == "listMessages":
        changes = OF_LISTS
    else:
        changes = WITH_BODY if parts.draft.fields is not None else ANYWHERE
    chosen = dice.choices(
        [change for change, _ in changes], [weight for _, weight in changes], k=dice.choice((1, 1, 1, 2, 3))
    )
    for change in chosen:
        change(dice, world, parts)
    return parts
