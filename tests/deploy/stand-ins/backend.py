#!/usr/bin/env python3
"""What Traefik finds around it when tests/configuration/ asks it: a swarm without services on port 2375, and a
replica on port 8000.

    GET /hold    begins to answer, and ends when told to, or after 600 s    GET /held      how many are being held
    GET /long    100 MB, a piece at a time                                  POST /release  ends them until POST /hold
    GET /page    ok, with a Content-Security-Policy of its own
    GET /query   the query as it arrived                                    GET /client    X-Real-Ip
    GET /drainz  503 after POST /drain, 200 after POST /serve
    GET /late    answers after a second                                     GET /cut       ends without an answer
    GET /own/X   a problem document of its own with the status X
    POST /       the length of the body that arrived                        GET            ok
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = b"x" * 100_000
PIECES = 1_000  # of a long answer, such as an export
LONGEST_HOLD = 600  # seconds, longer than any test needs on a busy machine

released = threading.Event()
draining = threading.Event()
counting = threading.Lock()
held = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, content_type="text/plain", policy=None, status=200):
        self.send_response(status)
        if policy:
            self.send_header("Content-Security-Policy", policy)
        if status in (429, 503):
            self.send_header("Retry-After", "7")
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Swarm(Handler):
    def do_GET(self):
        path = self.path.split("?")[0]
        answers = {"_ping": b"OK", "version": b'{"ApiVersion": "1.44", "MinAPIVersion": "1.24"}'}
        self.answer(answers.get(path.rsplit("/", 1)[-1], b"[]"), "application/json")

    do_HEAD = do_GET


class Replica(Handler):
    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/hold":
            self.hold()
        elif path == "/held":
            self.answer(b"%d" % held)
        elif path == "/long":
            self.answer_long()
        elif path == "/query":
            self.answer(self.path.partition("?")[2].encode())
        elif path == "/client":
            self.answer(self.headers["X-Real-Ip"].encode())
        elif path == "/page":
            self.answer(b"ok", policy="script-src 'self'")
        elif path == "/drainz":
            self.answer(b"", status=503 if draining.is_set() else 200)
        elif path == "/late":
            time.sleep(1)
            self.answer(b"ok")
        elif path == "/cut":
            self.close_connection = True
        elif path.startswith("/own/"):
            self.answer_with_problem(int(path.removeprefix("/own/")))
        else:
            self.answer(b"ok")

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/release":
            released.set()
        elif self.path == "/hold":
            released.clear()
        elif self.path == "/drain":
            draining.set()
        elif self.path == "/serve":
            draining.clear()
        self.answer(b"%d" % len(body))

    def answer_with_problem(self, status):
        document = json.dumps({"type": "own", "status": status, "detail": "The service says more."})
        self.answer(document.encode(), "application/problem+json", status=status)

    def answer_long(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(PIECE) * PIECES))
        self.end_headers()
        try:
            for _ in range(PIECES):
                self.wfile.write(PIECE)
        except OSError:
            self.close_connection = True  # it was not read to its end

    def hold(self):
        global held
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.flush()
        with counting:
            held += 1
        released.wait(LONGEST_HOLD)
        with counting:
            held -= 1
        self.wfile.write(b"ok")


def serve(port, handler):
    server = ThreadingHTTPServer(("", port), handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    threading.Thread(target=serve, args=(2375, Swarm), daemon=True).start()
    serve(8000, Replica)
