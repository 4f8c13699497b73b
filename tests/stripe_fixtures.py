"""The Stripe sandbox on a free port, and the webhooks it sends handed over by the test."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.test import Client

from sandbox.stripe import browser
from sandbox.stripe.errors import Json
from sandbox.stripe.server import Server
from sandbox.stripe.store import Store
from sandbox.stripe.world import Endpoint, World

SECRET_KEY = "sk_test_of_the_tests"
WEBHOOK_SECRET = "whsec_of_the_tests"
CONNECT_WEBHOOK_SECRET = "whsec_of_the_tests_connect"


class StripeSandbox:
    """What a test may do with the sandbox; webhooks wait until the test delivers them."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.base = server.world.base_url

    def control(self, path: str, /, **fields: object) -> Json:
        return browser.control(self.base, path, **fields)

    def fail_next(self, kind: str, path: str, times: int = 1, **more: object) -> None:
        """Let the next POSTs to a path go wrong; see FAULTS in sandbox/stripe/controls.py."""
        self.control("faults", kind=kind, path=path, times=times, method="POST", **more)

    def take(self) -> list[Json]:
        """Return the signed webhooks that wait, and count them as delivered."""
        taken: list[Json] = self.control("deliveries/take")["deliveries"]
        return taken

    def deliver(self, webhooks: list[Json] | None = None) -> list[int]:
        """Post webhooks to the site, those that wait unless given, and return the answers."""
        return [post_webhook(each) for each in (self.take() if webhooks is None else webhooks)]


def post_webhook(webhook: Json) -> int:
    answer = Client().post(
        urlsplit(webhook["url"]).path,
        webhook["payload"],
        content_type="application/json",
        headers={"stripe-signature": webhook["signature"]},
    )
    return int(answer.status_code)


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[Server]:
    site = "http://localhost:8000/stripe/webhook/"
    world = World(
        store=Store(None),
        secret_key=SECRET_KEY,
        endpoints={
            "account": Endpoint(site, WEBHOOK_SECRET),
            "connect": Endpoint(f"{site}connect/", CONNECT_WEBHOOK_SECRET),
        },
    )
    server = Server(world, 0)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stripe_sandbox(stripe_server, settings) -> StripeSandbox:
    """An empty Stripe, which the site's gateway talks to in this test."""
    sandbox = StripeSandbox(stripe_server)
    sandbox.control("reset")
    sandbox.control("deliveries", mode="held")
    settings.STRIPE_API_BASE = sandbox.base
    settings.STRIPE_SECRET_KEY = SECRET_KEY
    settings.STRIPE_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = CONNECT_WEBHOOK_SECRET
    return sandbox
