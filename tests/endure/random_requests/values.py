"""Values that a parser may not expect: numbers and lengths at borders, odd texts, and changes of JSON documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

# Ids and counts: around 0, the limits of the API, and those of 32, 53, 63 and 64 bits.
NUMBERS = (
    *("0", "1", "-1", "2", "9", "10", "20", "99", "100", "101", "999999", "1000000", "1000001"),
    *("2147483647", "2147483648", "4294967295", "4294967296", "9007199254740991", "9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616"),
    *("-9223372036854775808", "-9223372036854775809", "123456789012345678901234567890", "00", "007", "+1", "1.0"),
    *("1.5", "1e2", "1E400", "-0", "0x10", "1_000", "NaN", "Infinity", "١", " 1", "1 "),
)
# Letters that are composed, change their number in another case, join, run from right to left, are not shown, are no
# characters, or are outside the basic plane; and what other programs read as more than text.
TEXTS = (
    *("", " ", "a", "\0", "a\0b", "\t", "\r\n", "\n", "\x7f", "\x1b[31m", "é", "e\u0301", "ß", "ŉ", "İ", "ı", "ſ"),
    *("\u00a0", "\u200b", "\u200d", "\u202e", "\u2028", "\ufeff", "\ufffd", "\ufffe", "\uffff", "\U0010ffff"),
    *("😀", "👩‍👩‍👧‍👦", "🇩🇪", "ｆｕｌｌ", "а", "\u0300" * 50, "\ud800", "\udfff", "\udc00\ud800", "z" * 63, "z" * 64),
    *("null", "true", "false", "undefined", "[]", "{}", "../..", "%00", "%2f", "%ff", "%", "'", '"', "\\", "`", "--"),
    *("' OR 1=1 -- ", "%_", "\\%", "*", "+word -other", '"phrase', "<script>", "${jndi:ldap://a}", "{{7*7}}"),
    *("a@b", "a@b.example", '"a b"@example.com', "a@xn--", "a@" + "b" * 250, "@", "a@é.example", "admin", "A.b-C_d"),
    *("inbox", "sent", "2026-11-22T12:00:00Z", "2026-02-30T25:61:61Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:60Z"),
    *("2026-11-22T12:00:00.123456789+14:00", "2026-11-22", "1", "12-3+1_9+2", "1-2.3", "0-1", "42", 'W/"a"', "*"),
)
# Of names, subjects, passwords, searches, texts and headers: the limits of the API, and one more or less.
LENGTHS = (1, 2, 3, 7, 8, 63, 64, 65, 99, 100, 101, 127, 128, 129, 254, 255, 256, 4095, 4096, 65_534, 65_535, 65_536)
DEPTHS = (2, 100, 127, 128, 129, 1_000, 20_000)
FIELDS = (
    *("username", "email", "password", "new_password", "invitation", "receiver", "receivers", "subject", "message"),
    *("in_reply_to", "read", "ids", "until", "code", "account", "after_minutes", "id", "sender", "created_at", ""),
    *("__proto__", "Message", "message ", "mes\u200bsage", "type", "kind"),
)
Members = list[tuple[str, str]]  # of a JSON object: the texts of the names and of the values


def text(dice: Random) -> str:
    """An odd text, or one with a length at a border."""
    chance = dice.random()
    if chance < 0.6:
        return dice.choice(TEXTS)
    if chance < 0.8:
        return dice.choice(("a", "é", "😀", " ", "\\", '"', "\0")) * dice.choice(LENGTHS[:17])
    if chance < 0.98:
        return "".join(dice.choice(TEXTS) for _ in range(dice.randrange(1, 5)))
    return "a" * dice.choice(LENGTHS)


def short_text(dice: Random) -> str:
    """An odd text that fits into a line of a request."""
    return text(dice)[:300]


def literal(dice: Random) -> str:
    """The text of a JSON value of any type, which may be none: a number that fits no type, say."""
    chance = dice.random()
    if chance < 0.8:
        return scalar(dice)
    if chance < 0.9:
        return f"[{','.join(scalar(dice) for _ in range(dice.choice((0, 1, 2, 3, 100, 101))))}]"
    if chance < 0.96:
        return f"{{{json.dumps(dice.choice(FIELDS))}:{literal(dice)}}}"
    return nested(dice, "1")


def scalar(dice: Random) -> str:
    """One that holds no others."""
    chance = dice.random()
    if chance < 0.5:
        return json.dumps(text(dice))
    if chance < 0.75:
        return dice.choice(NUMBERS)
    return dice.choice(("null", "true", "false", '"true"', "{}", "[]", '"\\ud800"', '"\\uDC00\\uD800"'))


def nested(dice: Random, inner: str) -> str:
    """A value within many arrays or objects, which are not always closed."""
    depth, (opening, closing) = dice.choice(DEPTHS), dice.choice((("[", "]"), ('{"a":', "}")))
    return opening * depth + inner + closing * (depth if dice.random() < 0.8 else dice.randrange(depth))


def _replace(dice: Random, members: Members) -> None:
    """Another value of a field."""
    if members:
        place = dice.randrange(len(members))
        members[place] = (members[place][0], literal(dice))


def _replace_text(dice: Random, members: Members) -> None:
    """Another text of a field that has one."""
    places = [place for place, (_, value) in enumerate(members) if value.startswith('"')]
    if places:
        place = dice.choice(places)
        members[place] = (members[place][0], json.dumps(text(dice)))


def _remove(dice: Random, members: Members) -> None:
    """A field is missing."""
    if members:
        del members[dice.randrange(len(members))]


def _add(dice: Random, members: Members) -> None:
    """A field that is known elsewhere, or unknown."""
    members.insert(dice.randrange(len(members) + 1), (json.dumps(dice.choice(FIELDS)), literal(dice)))


def _repeat(dice: Random, members: Members) -> None:
    """A field that is there twice, with the same value or another."""
    if members:
        name, value = dice.choice(members)
        members.append((name, value if dice.random() < 0.5 else literal(dice)))


def _escape(dice: Random, members: Members) -> None:
    """The name of a field in escapes, which are the same name."""
    if members:
        place = dice.randrange(len(members))
        name, value = members[place]
        escapes = "".join(f"\\u{ord(letter):04x}" for letter in json.loads(name)[:64])
        members[place] = (f'"{escapes}"', value)


def _shuffle(dice: Random, members: Members) -> None:
    """Another order of the fields."""
    dice.shuffle(members)


MEMBER_CHANGES: tuple[Callable[[Random, Members], None], ...] = (
    *(_replace, _replace, _replace_text, _replace_text, _replace_text),
    *(_remove, _add, _repeat, _escape, _shuffle),
)


def flipped(dice: Random, data: bytes) -> bytes:
    """The data with some bytes changed, left out or added."""
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 4)):
        place, chance = dice.randrange(len(changed) + 1), dice.random()
        if chance < 0.4 and place < len(changed):
            changed[place] = dice.randrange(256)
        elif chance < 0.7:
            del changed[place : place + dice.randrange(1, 4)]
        else:
            changed[place:place] = dice.choice(
                (b"\0", b"\xff", b"\r", b"\n", b"\r\n", b" ", b"\xed\xa0\x80", b",", b'"')
            )
    return bytes(changed)


BODY_CHANGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    flipped,
    lambda dice, data: data[: dice.randrange(len(data) + 1)],  # cut
    lambda dice, data: data + dice.choice((b" ", b"\0", b"}", b"{}", b"\n\n", b",", b"//", b"\xff")),
    lambda _, data: b"\xef\xbb\xbf" + data,  # a byte order mark
    lambda dice, data: data.decode(errors="replace").encode(dice.choice(("utf-16", "utf-32", "utf-7"))),
    lambda dice, _: literal(dice).encode(errors="surrogatepass"),  # another value than an object
    lambda dice, data: nested(dice, data.decode(errors="replace")).encode(),
    lambda dice, data: data + b" " * dice.choice((512 * 1024 - len(data), 512 * 1024 - len(data) + 1, 600_000)),
    lambda _, data: data.replace(b"\\u", b"\\U"),
    lambda _, data: data.replace(b'"', b"'"),
    lambda _, __: b"",
)


def changed_body(dice: Random, fields: dict[str, object]) -> bytes:
    """The fields as a JSON object, with one change or two."""
    is_ascii = dice.random() < 0.5
    members = [(json.dumps(name), json.dumps(value, ensure_ascii=is_ascii)) for name, value in fields.items()]
    chance = dice.random()
    if chance < 0.8:
        for _ in range(1 if chance < 0.6 else 2):
            dice.choice(MEMBER_CHANGES)(dice, members)
    data = f"{{{','.join(f'{name}:{value}' for name, value in members)}}}".encode(errors="surrogatepass")
    return dice.choice(BODY_CHANGES)(dice, data) if chance > 0.7 else data
