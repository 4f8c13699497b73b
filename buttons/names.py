"""Ask the domain name system, in bounded time: the addresses of a host, the texts of a name.

The system's `getaddrinfo` can be given no time limit and answers no texts; it also knows names that
belong to this machine alone (`/etc/hosts`, search domains) and numbers in spellings of the 1980s.
"""

import time
from itertools import zip_longest

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
from django.conf import settings
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

SECONDS_MAX = 5.0
TOO_SLOW = "The host name could not be looked up in time."


class LookUpFailed(Exception):
    """The name could not be looked up; the message says why, for people."""


class NameUnknown(LookUpFailed):
    """The name does not exist, or has nothing of the kind that was asked for."""


def addresses_of(host: str, deadline: float) -> list[str]:
    """Return the addresses of a host, IPv4 and IPv6 by turns, or raise LookUpFailed.

    `deadline` is a moment of the monotonic clock. A host whose name server does not answer for
    one of the two kinds has the addresses of the other.
    """
    found: list[list[str]] = []
    failed: list[LookUpFailed] = []
    for kind in ("A", "AAAA"):
        try:
            answer = _ask(host, kind, deadline)
        except LookUpFailed as error:
            failed.append(error)
        else:
            found.append([rdata.address for rdata in answer if isinstance(rdata, A | AAAA)])
    if not found:
        raise failed[0]
    return [address for turn in zip_longest(*found) for address in turn if address]


def texts_of(name: str, deadline: float) -> list[str]:
    """Return the TXT records of a name, each in one piece; raises LookUpFailed as above."""
    answer = _ask(name, "TXT", deadline)
    texts = (b"".join(rdata.strings) for rdata in answer if isinstance(rdata, TXT))
    return [text.decode("ascii", errors="replace") for text in texts]


def _ask(name: str, kind: str, deadline: float) -> dns.resolver.Answer:
    seconds = min(SECONDS_MAX, deadline - time.monotonic())
    if seconds <= 0:
        raise LookUpFailed(TOO_SLOW)
    try:
        # A whole name, never one to be completed by the machine's own search domains.
        whole_name = dns.name.from_text(name)
        return _resolver().resolve(whole_name, kind, lifetime=seconds)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as error:
        raise NameUnknown("The host name does not exist.") from error
    except dns.resolver.LifetimeTimeout as error:
        raise LookUpFailed(TOO_SLOW) from error
    except dns.exception.DNSException as error:
        raise LookUpFailed("The host name could not be looked up.") from error


def _resolver() -> dns.resolver.Resolver:
    """Return a resolver that asks the servers of the settings, else those of the machine.

    Made each time: a worker runs for months, and the machine's servers change meanwhile.
    """
    resolver = dns.resolver.Resolver(configure=not settings.DNS_SERVERS)
    if settings.DNS_SERVERS:
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(address, port) for address, port in settings.DNS_SERVERS
        ]
    return resolver
