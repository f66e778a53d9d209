"""The ring of token keys, through a rotation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from herolo_operator.environment import Environment
from herolo_operator.secrets_file import change_lines, new_key, provide_secrets, read_lines
from herolo_operator.token_ring import MARGIN, TokenRing, remove_expired_keys

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RING = TokenRing((new_key("k1"),))


def ids(ring: TokenRing) -> list[str]:
    return [key.partition(":")[0] for key in ring.keys]


def through_file(ring: TokenRing) -> TokenRing:
    return TokenRing.read({name: value for name, value in ring.lines.items() if value is not None})


def test_a_new_key_verifies_before_it_signs() -> None:
    begun = RING.with_new_key()
    assert ids(begun) == ["k1", "k2"] and not begun.signs_with_new
    signing = begun.signing_with_new_key()
    assert ids(signing) == ["k2", "k1"] and signing.signs_with_new
    assert set(signing.keys) == set(begun.keys)


@pytest.mark.parametrize("signs", [False, True])
def test_an_interrupted_rotation_goes_on_with_its_own_key(signs: bool) -> None:
    begun = RING.with_new_key()
    begun = begun.signing_with_new_key() if signs else begun
    assert through_file(begun) == begun
    assert begun.with_new_key() == begun


def test_an_old_key_is_kept_until_its_last_token_has_expired() -> None:
    rotated = through_file(RING.with_new_key().signing_with_new_key().rotated(NOW, DAY))
    assert rotated.without_expired(NOW + DAY) == rotated
    after = rotated.without_expired(NOW + DAY + MARGIN)
    assert ids(after) == ["k2"]
    assert through_file(after) == after


def test_a_second_rotation_keeps_the_old_keys_for_as_long_as_the_newest_of_them() -> None:
    first = RING.with_new_key().signing_with_new_key().rotated(NOW, DAY)
    second = first.with_new_key().signing_with_new_key().rotated(NOW + DAY / 2, DAY)
    assert ids(second) == ["k3", "k2", "k1"]
    assert second.without_expired(NOW + DAY + MARGIN) == second
    assert ids(second.without_expired(NOW + 2 * DAY)) == ["k3"]


def test_a_key_that_signs_is_never_removed() -> None:
    ring = TokenRing(RING.keys, old=("k1",), until=NOW)
    assert ring.without_expired(NOW + DAY).keys == RING.keys


def test_a_key_that_the_operator_has_added_is_kept() -> None:
    rotated = RING.with_new_key().signing_with_new_key().rotated(NOW, DAY)
    edited = TokenRing((new_key("mine"), *rotated.keys), old=rotated.old, until=rotated.until)
    assert ids(edited.without_expired(NOW + 2 * DAY)) == ["mine", "k2"]


def test_the_file_loses_an_expired_key_and_no_other_line(environment: Environment) -> None:
    provide_secrets(environment)
    before = read_lines(environment)
    ring = TokenRing.read(before).with_new_key().signing_with_new_key()
    change_lines(environment, ring.rotated(datetime.now(UTC), DAY).lines)
    remove_expired_keys(environment)
    assert len(read_lines(environment)["token_keys"].split(",")) == 2
    change_lines(environment, ring.rotated(datetime.now(UTC) - 2 * DAY, DAY).lines)
    remove_expired_keys(environment)
    assert read_lines(environment) == {**before, "token_keys": ring.keys[0]}
