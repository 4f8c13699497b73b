"""What the click window says about one thing to one person, before and after the press."""

from dataclasses import dataclass
from functools import cached_property

from accounts.models import User
from buttons.canonical import host_of, origin_of
from buttons.flattrs import count_flattrs, is_own, present_flattr
from buttons.means import MonthEstimate, able_creators, estimate_month
from buttons.models import Claim, Flattr, Thing
from buttons.months import read_clock
from buttons.presses import Missing, missing_of
from buttons.submissions import Submission, find_thing
from buttons.trust import may_click

# What a nonce is for, besides the press: a form of one kind is no form of another.
CLICK = "click"
TRUST = "trust"
SUBSCRIBE = "subscribe"

UNPROVEN = "unproven"
DISPUTED = "disputed"
WITHOUT_MEANS = "without_means"


@dataclass(frozen=True)
class Look:
    """One thing as one person sees it. Raises ContentNotSupported when nobody could own it."""

    submission: Submission
    patron: User | None
    thing: Thing | None

    @classmethod
    def at(cls, submission: Submission, user: object) -> "Look":
        patron = user if isinstance(user, User) else None
        return cls(submission, patron, find_thing(submission))

    @property
    def url(self) -> str:
        return self.submission.url

    @property
    def title(self) -> str:
        return (self.thing.title if self.thing else self.submission.title) or self.host

    @property
    def host(self) -> str:
        return host_of(self.url)

    @property
    def url_around_host(self) -> tuple[str, str]:
        """The address before and after its host, which the page emphasises."""
        before, _, after = self.url.partition(self.host)
        return before, after

    @property
    def origin(self) -> str:
        return origin_of(self.url)

    @cached_property
    def owner(self) -> User | None:
        """The proven owner, or else the person whom the button or the only claim names."""
        if self.thing and self.thing.owner:
            return self.thing.owner
        return self.submission.claimant or (self._claims[0].user if self._claims else None)

    @property
    def is_proven(self) -> bool:
        return bool(self.thing and self.thing.owner_id)

    @cached_property
    def waits_because(self) -> str:
        """Why a flattr would wait, or nothing when it would be counted."""
        if any(claim.state == Claim.State.FROZEN for claim in self._claims):
            return DISPUTED
        if not self.is_proven or self.owner is None:
            return UNPROVEN
        return "" if able_creators([self.owner.pk]) else WITHOUT_MEANS

    @cached_property
    def flattrs(self) -> int:
        return count_flattrs(self.thing) if self.thing else 0

    @cached_property
    def is_own(self) -> bool:
        return self.patron is not None and is_own(self.patron, self.submission, self.thing)

    @cached_property
    def flattr(self) -> Flattr | None:
        """The flattr that a press would repeat."""
        if self.patron is None or self.thing is None:
            return None
        return present_flattr(self.patron, self.thing, read_clock())

    @cached_property
    def estimate(self) -> MonthEstimate | None:
        return estimate_month(self.patron) if self.patron else None

    @cached_property
    def missing(self) -> Missing:
        return missing_of(self.patron)

    @cached_property
    def may_click(self) -> bool:
        """Say whether a click on the page that opened the window does, without a press here."""
        return self.patron is not None and may_click(self.patron, self.submission)

    @cached_property
    def _claims(self) -> list[Claim]:
        if self.thing is None:
            return []
        claims = self.thing.claims.exclude(state=Claim.State.REFUSED)
        return list(claims.select_related("user").order_by("pk"))
