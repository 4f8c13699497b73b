"""The HTTP server: authentication, idempotency, faults, and who answers which address."""

import hashlib
import json
import socket
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from sandbox.stripe import pages
from sandbox.stripe.api import answer_call
from sandbox.stripe.controls import control
from sandbox.stripe.deliveries import Courier
from sandbox.stripe.errors import Json, Refusal
from sandbox.stripe.params import decode_form
from sandbox.stripe.world import API_VERSION, Fault, World

HOST = "127.0.0.1"
BODY_MAX = 1_000_000
KEY_SECONDS = 86_400


class Dropped(Exception):
    """The connection ends without an answer."""


class Server(ThreadingHTTPServer):
    """Listens on the loopback interface only, one thread for each connection."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, world: World, port: int) -> None:
        super().__init__((HOST, port), Handler)
        self.world = world
        self.in_flight: set[str] = set()
        self.in_flight_lock = threading.Lock()
        world.base_url = f"http://{HOST}:{self.server_port}"
        self.courier = Courier(world)

    def start(self) -> None:
        """Serve in the background; for tests."""
        self.courier.start()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.courier.stop()
        self.shutdown()
        self.server_close()
        self.world.store.close()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Header and body leave in one packet, so that no reply waits for an acknowledgement.
    wbufsize = 65_536
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the console for what matters; the index page lists what happened."""

    def _answer(self) -> None:
        self.world = self.server.world
        parts = urlsplit(self.path)
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        if host not in ("127.0.0.1", "localhost"):
            self._send(403, "text/plain", b"This sandbox answers to the loopback interface only.")
            return
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= BODY_MAX:
            self.close_connection = True
            self._send(413, "text/plain", b"The request is too large.")
            return
        body = self.rfile.read(length).decode("utf-8", "replace")
        try:
            if parts.path.startswith("/v1/"):
                self._answer_api(parts.path, body if length else parts.query)
            elif parts.path.startswith("/_sandbox/"):
                self._answer_control(parts.path, body)
            else:
                self._answer_page(parts.path, parts.query, body)
        except Dropped:
            self._drop()

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer_api(self, path: str, form: str) -> None:
        request_id = World.new_id("req")
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        fault = self._fault_for(path)
        if fault and fault.kind == "drop_before":
            raise Dropped
        key = self.headers.get("Idempotency-Key") or ""
        try:
            self._authenticate()
            if fault and fault.kind == "rate_limit":
                raise Refusal("Request rate limit exceeded.", status=429, code="rate_limit")
            with _InFlight(self.server, key):
                if fault and fault.kind == "delay":
                    time.sleep(fault.seconds)
                status, text, is_replayed = self._once(path, form, key, request_id, fault)
        except Refusal as refusal:
            status, text, is_replayed = refusal.status, json.dumps(refusal.envelope()), False
        if fault and fault.kind == "drop_after":
            raise Dropped
        if key:
            headers["Idempotency-Key"] = key
        if is_replayed:
            headers["Idempotent-Replayed"] = "true"
        self._send(status, "application/json", text.encode(), headers)

    def _authenticate(self) -> None:
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if given != self.world.secret_key:
            raise Refusal(
                f"Invalid API Key provided: {given[:7]}****", status=401, code="api_key_invalid"
            )
        version = self.headers.get("Stripe-Version") or API_VERSION
        if version != API_VERSION:
            raise Refusal(f"Invalid Stripe API version: {version}")

    def _fault_for(self, path: str) -> Fault | None:
        for fault in list(self.world.faults):
            if path.startswith(fault.path) and fault.method in ("", self.command):
                fault.times -= 1
                if fault.times <= 0:
                    self.world.faults.remove(fault)
                return fault
        return None

    def _once(
        self, path: str, form: str, key: str, request_id: str, fault: Fault | None
    ) -> tuple[int, str, bool]:
        """Answer a request, or repeat the first answer that its idempotency key received.

        The answer, the objects and the events are one transaction.
        """
        world = self.world
        is_write = self.command == "POST" and bool(key)
        fingerprint = hashlib.sha256(f"{self.command} {path} {form}".encode()).hexdigest()
        with world.store.transaction():
            if is_write and (saved := self._saved(key, fingerprint)):
                return *saved, True
            world.request_id, world.idempotency_key = request_id, key or None
            account = self.headers.get("Stripe-Account") or ""
            is_saved = is_write
            try:
                if fault and fault.kind == "error_before":
                    raise _breakdown()
                params = decode_form(form)
                body = answer_call(world, self.command, path, params, account)
                status, text = 200, json.dumps(body)
                if fault and fault.kind == "error_after":
                    status, text = 500, json.dumps(_breakdown().envelope())
            except Refusal as refusal:
                status, text = refusal.status, json.dumps(refusal.envelope())
                is_saved = is_write and refusal.is_saved
            # A mistake of the sandbox must look like one of Stripe's, not like a lost connection.
            except Exception:
                traceback.print_exc()
                status, text = 500, json.dumps(_breakdown().envelope())
            finally:
                world.request_id = world.idempotency_key = None
            if is_saved:
                world.store.sql(
                    "INSERT INTO answer VALUES (?, ?, ?, ?, ?)",
                    key, fingerprint, status, text, world.now(),
                )  # fmt: skip
        return status, text, False

    def _saved(self, key: str, fingerprint: str) -> tuple[int, str] | None:
        world = self.world
        world.store.sql("DELETE FROM answer WHERE created < ?", world.now() - KEY_SECONDS)
        rows = world.store.sql("SELECT fingerprint, status, body FROM answer WHERE key = ?", key)
        if not rows:
            return None
        if rows[0][0] != fingerprint:
            raise Refusal(
                "Keys for idempotent requests can only be used with the same parameters they were"
                f" first used with. Try using a key other than '{key}'.",
                kind="idempotency_error",
            )
        return int(rows[0][1]), str(rows[0][2])

    def _answer_control(self, path: str, body: str) -> None:
        is_form = "form" in (self.headers.get("Content-Type") or "")
        try:
            params: Json = decode_form(body) if is_form else json.loads(body or "{}")
            answer = control(self.world, self.command, path, params)
        except Refusal as refusal:
            if is_form:
                page = pages.message_page("That does not work", refusal.message)
                self._send(refusal.status, "text/html; charset=utf-8", page.encode())
                return
            self._send(refusal.status, "application/json", json.dumps(refusal.envelope()).encode())
            return
        if is_form:
            self._send(303, "text/plain", b"", {"Location": "/"})
        else:
            self._send(200, "application/json", json.dumps(answer).encode())

    def _answer_page(self, path: str, query: str, body: str) -> None:
        try:
            page = pages.answer_page(
                self.world, self.command, path, decode_form(query), decode_form(body)
            )
        except Refusal as refusal:
            text = pages.message_page("That does not work", refusal.message)
            page = pages.Page(refusal.status, text)
        headers = {"Location": page.location} if page.location else {}
        self._send(page.status, page.content_type, page.text.encode(), headers)

    def _send(
        self, status: int, content_type: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


class _InFlight:
    """Refuses a second request with a key whose first is still being answered."""

    def __init__(self, server: Server, key: str) -> None:
        self.server, self.key = server, key

    def __enter__(self) -> None:
        with self.server.in_flight_lock:
            if self.key and self.key in self.server.in_flight:
                raise Refusal(
                    "There is currently another in-progress request using this Idempotent Key.",
                    status=409,
                    kind="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self.server.in_flight.add(self.key)

    def __exit__(self, *_: object) -> None:
        with self.server.in_flight_lock:
            self.server.in_flight.discard(self.key)


def _breakdown() -> Refusal:
    return Refusal("An unknown error occurred.", status=500, kind="api_error")
