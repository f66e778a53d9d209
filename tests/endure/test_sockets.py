"""What a server holds is read from the kernel's table, and how long from looking again and again."""

from __future__ import annotations

import socket

import pytest
from endure.sockets import SOCKETS, Endpoint, Held, Lifetimes, established

SERVER = Endpoint("127.0.0.1", 8443)
ONE, TWO = Endpoint("127.0.1.1", 40000), Endpoint("127.0.3.2", 50000)
LINES = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:20FB 0101007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0101007F:9C40 0100007F:20FB 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
   3: 0100007F:20FB 0203007F:C350 04 000A0000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
   4: 0100007F:20FC 0203007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0 20 4 30 10 -1
"""


def test_a_connection_that_the_server_has_closed_is_not_held() -> None:
    """Nor is one of another port, the client's own end, or the socket that listens."""
    assert established(SERVER, LINES.encode()) == {ONE: 2}


@pytest.mark.skipif(not SOCKETS.is_file(), reason="this machine has no /proc")
def test_the_table_of_this_machine_is_understood() -> None:
    """A connection is there, and after its end it is not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Endpoint(*listener.getsockname())
        client = socket.create_connection(listener.getsockname(), 10, ("127.0.1.7", 0))
        with client, listener.accept()[0]:
            assert list(established(server, SOCKETS.read_bytes())) == [Endpoint(*client.getsockname())]
        assert established(server, SOCKETS.read_bytes()) == {}


def test_a_connection_is_held_from_when_it_is_seen_to_when_it_is_not() -> None:
    """Those of other clients are not looked at."""
    lifetimes = Lifetimes(SERVER, ("127.0.1.", "127.0.3."))
    other = Endpoint("127.0.8.1", 40000)
    for now, clients in ((1, {ONE: 7, other: 8}), (2, {ONE: 7, TWO: 9, other: 8}), (4, {TWO: 9}), (9, {TWO: 9})):
        lifetimes.note(now, clients)
    assert lifetimes.ended == [Held(ONE, 1, 3)]
    assert lifetimes.open() == [Held(TWO, 2, 7)]
    assert lifetimes.counts == [(1, 1), (2, 2), (4, 1), (9, 1)]


def test_another_connection_from_the_same_port_is_another_one() -> None:
    """One that the server had not accepted yet is the same."""
    lifetimes = Lifetimes(SERVER, ("127.0.1.",))
    for now, inode in ((1, 0), (2, 7), (3, 7), (4, 8), (5, 8)):
        lifetimes.note(now, {ONE: inode})
    assert lifetimes.ended == [Held(ONE, 1, 3)]
    assert lifetimes.open() == [Held(ONE, 4, 1)]
