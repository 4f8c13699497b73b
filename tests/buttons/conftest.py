"""Alice and Bob with means, a page of Bob's, and the click window."""

import time
from collections.abc import Callable, Iterator

import pytest

from accounts.models import User
from buttons import nonces
from buttons.models import Thing
from tests.buttons.people import Window, give_means, make_thing
from tests.buttons.servers import NameServer


@pytest.fixture
def patron(alice) -> User:
    """Alice with a budget of 5.00 and funds of 10.00."""
    return give_means(alice)


@pytest.fixture
def creator(bob) -> User:
    """Bob, who gives too, and so may receive."""
    return give_means(bob)


@pytest.fixture
def tea(creator) -> Thing:
    """A page that is proven to be Bob's."""
    return make_thing(owner=creator)


@pytest.fixture
def waited(monkeypatch) -> Callable[[], None]:
    """Let the 600 ms pass that arm a window's button, without sleeping."""

    def wait(milliseconds: int = nonces.ARMED_AFTER_MS) -> None:
        later = time.time_ns() // 1_000_000 + milliseconds
        monkeypatch.setattr(nonces, "_now_ms", lambda: later)

    return wait


@pytest.fixture
def window(client, waited) -> Window:
    return Window(client, waited)


@pytest.fixture
def names(settings) -> Iterator[NameServer]:
    """What names lead to, instead of what the world's servers say."""
    server = NameServer()
    settings.DNS_SERVERS = [server.address]
    yield server
    server.stop()
