"""Servers on the loopback that stand in for the web and for the domain name system."""

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Answer = Callable[[BaseHTTPRequestHandler], None]


class Listener:
    """A server on the loopback that answers as told, and remembers every connection."""

    def __init__(self) -> None:
        self.connections: list[tuple[str, int]] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Answer] = {}
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                listener.connections.append(self.client_address)
                super().setup()

            def do_GET(self) -> None:
                listener.requests.append((self.path, dict(self.headers)))
                answer = listener.answers.get(self.path, html("<p>tea"))
                try:
                    answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *args: object) -> None:
                """Say nothing: the tests read what was remembered."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}{path}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def html(text: str | bytes, content_type: str = "text/html", **headers: str) -> Answer:
    body = text.encode() if isinstance(text, str) else text

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", content_type)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def status(code: int, location: str = "") -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        if location:
            # As browsers send and read it: the bytes of UTF-8.
            handler.send_header("Location", location.encode().decode("latin-1"))
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()

    return answer


class NameServer:
    """A real DNS server on the loopback, which knows the names that it was told of.

    A name has a list of answers for each kind, and each answer is given once but the last: so a
    name may lead elsewhere whenever it is asked for. `silent` are kinds that get no answer at all.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[list[str]]] = {}
        self.asked: list[tuple[str, str]] = []
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def tell(self, name: str, *answers: list[str], kind: str = "") -> None:
        """Let a name have these addresses, each list for one time that it is asked for."""
        for wanted in [kind] if kind else ["A", "AAAA"]:
            self.records[name, wanted] = [
                [text for text in answer if kind or (":" in text) == (wanted == "AAAA")]
                for answer in answers
            ]

    def stop(self) -> None:
        # An empty message wakes the thread, which ends: closing alone would leave it waiting.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"", self.address)

    def _serve(self) -> None:
        with self.socket:
            while True:
                packet, sender = self.socket.recvfrom(4_096)
                if not packet:
                    return
                reply = self._reply(dns.message.from_wire(packet))
                if reply is not None:
                    self.socket.sendto(reply.to_wire(), sender)

    def _reply(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if kind in self.silent:
            return None
        if kind in self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif texts := self._next_answer(name, kind):
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        return reply

    def _next_answer(self, name: str, kind: str) -> list[str]:
        answers = self.records.get((name, kind), [[]])
        return answers.pop(0) if len(answers) > 1 else answers[0]


def drip(letters: bytes, seconds_between: float) -> Answer:
    """Answer one letter at a time."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        for letter in letters:
            handler.wfile.write(bytes([letter]))
            handler.wfile.flush()
            time.sleep(seconds_between)

    return answer
