"""DuckDNS's update API, as far as it is documented, for one domain and token, on the loopback address.

GET /update?domains=LABEL&token=TOKEN[&ip=ADDRESS][&ipv6=ADDRESS][&clear=true][&verbose=true] answers KO for a wrong
token or domain; else OK and, if verbose, the addresses, each on a line that may be empty, and UPDATED or NOCHANGE. An
address that is not given stays; `clear` removes both.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit


class DuckDns:
    """The API. `token` returns the one that is valid now, since its owner can make a new one. `on_change` is called
    with each new IPv4 address, and with "" when that is removed."""

    def __init__(self, label: str, token: Callable[[], str], on_change: Callable[[str], None]) -> None:
        self._label, self._token, self._on_change = label, token, on_change
        self.address, self.ipv6 = "", ""

    def start(self) -> int:
        """Serves in the background, and returns the port."""
        server = http.server.HTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_port

    def update(self, query: dict[str, str], client: str) -> str:
        """The answer to an update from that client."""
        if query.get("token") != self._token() or query.get("domains") != self._label:
            return "KO"
        before = (self.address, self.ipv6)
        self.ipv6 = query.get("ipv6") or self.ipv6
        self.address = query.get("ip") or (self.address if query.get("ipv6") else client)
        if query.get("clear") == "true":
            self.address, self.ipv6 = "", ""
        if self.address != before[0]:
            self._on_change(self.address)
        if query.get("verbose") != "true":
            return "OK"
        return f"OK\n{self.address}\n{self.ipv6}\n{'NOCHANGE' if before == (self.address, self.ipv6) else 'UPDATED'}"

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                if url.path != "/update":
                    self.send_error(404)
                    return
                query = {name: values[-1] for name, values in parse_qs(url.query).items()}
                answer = api.update(query, self.client_address[0]).encode("ascii")
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass  # it would write the token

        return Handler
