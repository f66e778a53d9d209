"""The ledger finds what is lost, doubled and wrong; a figure that misses its limit is told."""

from __future__ import annotations

from endure.ledger import Findings, Ledger, Send


def acknowledged(ledger: Ledger, number: int, receiver: str = "bob") -> Send:
    """A send that was answered with a 201."""
    send = ledger.new_send("alice", receiver)
    ledger.acknowledge(send, as_read(send, number))
    return send


def as_read(send: Send, number: int) -> dict:
    """The message of a send, as the API has it."""
    return {"id": number, "receiver": send.receiver, "message": send.text}


def compared(ledger: Ledger, *messages: dict) -> Findings:
    """What is found if the only inbox has these messages."""
    return ledger.compare({"bob": list(messages)})


def test_what_is_there_once_is_neither_lost_nor_doubled() -> None:
    """Also what was sent without an acknowledgement."""
    ledger = Ledger()
    send, unknown = acknowledged(ledger, 1), ledger.new_send("alice", "bob")
    assert compared(ledger, as_read(send, 1)) == Findings(1, 1, [], [])
    assert compared(ledger, as_read(send, 1), as_read(unknown, 2)) == Findings(1, 1, [], [])
    assert not ledger.wrong


def test_an_acknowledged_message_that_is_not_there_is_lost() -> None:
    """And so is one that has another id than was acknowledged."""
    ledger = Ledger()
    send = acknowledged(ledger, 1)
    assert compared(ledger).lost == [send.text]
    assert compared(ledger, as_read(send, 2)).lost == [send.text]


def test_a_message_that_is_there_twice_is_doubled() -> None:
    """Whether it was acknowledged or not."""
    ledger = Ledger()
    send, unknown = acknowledged(ledger, 1), ledger.new_send("alice", "bob")
    messages = [as_read(send, 1), as_read(send, 2), as_read(unknown, 3), as_read(unknown, 4)]
    assert compared(ledger, *messages).doubled == [send.text, unknown.text]


def test_an_answer_about_another_message_is_wrong() -> None:
    """It acknowledges nothing."""
    ledger = Ledger()
    send, other = ledger.new_send("alice", "bob"), ledger.new_send("alice", "carol")
    ledger.acknowledge(send, as_read(other, 1))
    assert send.id is None
    assert len(ledger.wrong) == 1


def test_a_message_of_another_user_in_an_inbox_is_wrong() -> None:
    """Whatever its field says."""
    ledger = Ledger()
    send = acknowledged(ledger, 1, "carol")
    compared(ledger, as_read(send, 1), {**as_read(send, 1), "receiver": "bob"})
    assert len(ledger.wrong) == 2
