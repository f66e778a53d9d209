#!/usr/bin/env python3
"""What Traefik finds around it when tests/deploy/configuration asks it: a swarm without services on port 2375, and a
replica on port 8000.

    GET /hold    begins to answer, and ends when told to, or after 25 s     GET /held      how many are being held
    GET /long    100 MB, a piece at a time                                  POST /release  ends them
    GET /page    ok, with a Content-Security-Policy of its own
    GET /query   the query as it arrived
    POST /       the length of the body that arrived                        GET            ok
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = b"x" * 100_000
PIECES = 1_000  # of a long answer, such as an export
LONGEST_HOLD = 25  # seconds

released = threading.Event()
counting = threading.Lock()
held = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, content_type="text/plain", policy=None):
        self.send_response(200)
        if policy:
            self.send_header("Content-Security-Policy", policy)
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
        elif path == "/page":
            self.answer(b"ok", policy="script-src 'self'")
        else:
            self.answer(b"ok")

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/release":
            released.set()
        self.answer(b"%d" % len(body))

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
            if not held:
                released.clear()  # for the next
        self.wfile.write(b"ok")


def serve(port, handler):
    server = ThreadingHTTPServer(("", port), handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    threading.Thread(target=serve, args=(2375, Swarm), daemon=True).start()
    serve(8000, Replica)
