"""What one person's dashboard shows: what they have, give, earned, and what to do next.

Everything is read in a fixed number of statements, however many flattrs, things and months there
are. Who is able to receive is decided as the close's snapshot will (`payouts/close_sql/`), from
how things stand now.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from accounts.models import User
from buttons.models import Month
from buttons.months import current_month, months_before, next_month
from funds.models import LedgerAccount, MonthlyBudget
from funds.money import format_micros_floor
from payouts.models import CreatorStatement, PatronStatement

FLATTRS_SHOWN = 8
WAITING_SHOWN = 4
STATEMENTS_SHOWN = 4

# The open month's flattrs and all that wait, each with why its owner could not receive now (empty:
# it would be counted). The first few of either kind, and the counts of all.
FLATTRS_SQL = """
WITH mine AS (
    SELECT f.id, f.thing_id, f.month, f.created_at,
        coalesce(nullif(o.display_name, ''), o.username) AS owner,
        coalesce(nullif(t.title, ''), left(regexp_replace(t.url, '^https?://', ''), 60)) AS title,
        CASE
            WHEN t.owner_id IS NULL THEN 'unproven'
            WHEN t.owner_id = f.patron_id THEN 'own'
            WHEN NOT o.is_active THEN 'closed'
            WHEN o.is_exempt_from_means OR NOT %(give_to_receive)s THEN ''
            WHEN b.amount_micros >= %(budget_min_micros)s AND (
                SELECT coalesce(sum(
                    a.credits_posted_micros - a.debits_posted_micros - a.debits_pending_micros
                ), 0)
                FROM funds_ledgeraccount AS a
                WHERE a.user_id = o.id AND a.currency = o.currency AND (
                    a.code = 'funds' OR (a.code = 'revenue' AND b.is_revenue_reused)
                )
            ) >= %(budget_min_micros)s THEN ''
            ELSE 'means'
        END AS why
    FROM buttons_flattr AS f
    JOIN buttons_thing AS t ON t.id = f.thing_id
    LEFT JOIN accounts_user AS o ON o.id = t.owner_id
    LEFT JOIN funds_monthlybudget AS b ON b.user_id = o.id
    WHERE f.patron_id = %(user_id)s
        AND ((f.state = 'made' AND f.month = %(month)s)
            OR (f.state = 'waiting' AND f.month < %(month)s))
), placed AS (
    SELECT *, count(*) OVER (PARTITION BY why = '') AS of_kind,
        row_number() OVER (PARTITION BY why = '' ORDER BY created_at DESC, id DESC) AS place
    FROM mine
)
SELECT thing_id, title, owner, why, month, created_at, of_kind
FROM placed
WHERE place <= CASE WHEN why = '' THEN %(flattrs_shown)s ELSE %(waiting_shown)s END
ORDER BY created_at DESC, id DESC
"""

# Single figures that no other statement brings, one subquery each.
FIGURES_SQL = """
SELECT
    (SELECT count(*) FROM buttons_thing WHERE owner_id = %(user_id)s),
    (SELECT count(*) FROM buttons_flattr AS f JOIN buttons_thing AS t ON t.id = f.thing_id
        WHERE t.owner_id = %(user_id)s AND f.month = %(month)s AND f.state = 'made'),
    (SELECT count(*) FROM buttons_flattr AS f JOIN buttons_thing AS t ON t.id = f.thing_id
        WHERE t.owner_id = %(user_id)s AND f.state = 'waiting'),
    (SELECT count(*) FROM buttons_flattr AS f
        JOIN buttons_claim AS c ON c.thing_id = f.thing_id
        JOIN buttons_thing AS t ON t.id = f.thing_id
        WHERE c.user_id = %(user_id)s AND c.state = 'unproven' AND t.owner_id IS NULL
            AND f.state IN ('made', 'waiting')),
    (SELECT count(*) FROM buttons_press WHERE patron_id = %(user_id)s AND state = 'open'),
    (SELECT count(*) FROM funds_topup WHERE user_id = %(user_id)s AND state = 'processing'),
    (SELECT coalesce(sum(amount_micros), 0) FROM payouts_withdrawal
        WHERE user_id = %(user_id)s AND state IN ('in_review', 'sending')),
    (SELECT count(*) FROM buttons_flattr AS f
        WHERE f.patron_id = %(user_id)s AND f.month = %(last_month)s AND f.state = 'made'
            AND NOT EXISTS (SELECT FROM buttons_month
                WHERE month = %(last_month)s AND state = 'closed'))
"""

WHY = {
    "unproven": "Nobody has proven that it is theirs",
    "own": "It is yours now, so it will not be counted",
    "closed": "The account of its owner is closed",
    "means": "Its owner cannot receive yet",
}


class Line(NamedTuple):
    """A flattr on the dashboard; `why` is empty when it would be counted now."""

    thing_id: int
    title: str
    owner: str | None
    why: str
    month: date
    created_at: datetime
    of_kind: int

    @property
    def reason(self) -> str:
        return WHY[self.why]


class Figures(NamedTuple):
    things: int
    received_flattrs: int
    waiting_for_means: int
    waiting_for_proof: int
    open_presses: int
    payments_processing: int
    withdrawing_micros: int
    flattrs_being_shared: int


class NextStep(NamedTuple):
    title: str
    text: str
    url_name: str
    link: str


@dataclass(frozen=True)
class Dashboard:
    user: User
    month: date
    funds_micros: int
    revenue_micros: int
    held_micros: int
    budget_micros: int
    is_revenue_reused: bool
    lines: list[Line]
    figures: Figures
    patron_statements: list[PatronStatement]
    creator_statements: list[CreatorStatement]

    @property
    def last_month(self) -> date:
        return months_before(self.month, 1)

    @property
    def closes_on(self) -> date:
        return next_month(self.month)

    @property
    def counted(self) -> list[Line]:
        return [line for line in self.lines if not line.why]

    @property
    def waiting(self) -> list[Line]:
        return [line for line in self.lines if line.why]

    @property
    def counted_flattrs(self) -> int:
        return self.counted[0].of_kind if self.counted else 0

    @property
    def waiting_flattrs(self) -> int:
        return self.waiting[0].of_kind if self.waiting else 0

    @property
    def gives_micros(self) -> int:
        """What the month would give if it closed now: the budget, or what is there of it."""
        return min(self.budget_micros, self.funds_micros)

    @property
    def share_micros(self) -> int:
        """What each counted flattr would get now, rounded down; zero without any."""
        return self.gives_micros // self.counted_flattrs if self.counted_flattrs else 0

    @property
    def months_covered(self) -> int:
        return self.funds_micros // self.budget_micros if self.budget_micros else 0

    @property
    def has_means_to_receive(self) -> bool:
        if self.user.is_exempt_from_means or not settings.GIVE_TO_RECEIVE:
            return True
        usable = self.funds_micros + (self.revenue_micros if self.is_revenue_reused else 0)
        return self.budget_micros >= settings.BUDGET_MIN_MICROS <= usable

    @property
    def is_first_run(self) -> bool:
        """Whether the person has neither given nor earned yet, and sees the first steps."""
        return not (self.patron_statements or self.creator_statements) and not (
            self.gives_micros and self.counted_flattrs and self.figures.things
        )

    @property
    def next_step(self) -> NextStep | None:
        return next_step(self)


def dashboard_of(user: User) -> Dashboard:
    month = current_month()
    balances = {
        account.code: account.available_micros
        for account in LedgerAccount.objects.filter(user=user, currency=user.currency)
    }
    budget = MonthlyBudget.objects.filter(user=user).first()
    params = {
        "user_id": user.pk,
        "month": month,
        "last_month": months_before(month, 1),
        "budget_min_micros": settings.BUDGET_MIN_MICROS,
        "give_to_receive": settings.GIVE_TO_RECEIVE,
        "flattrs_shown": FLATTRS_SHOWN,
        "waiting_shown": WAITING_SHOWN,
    }
    closed = {"month__state": Month.State.CLOSED}
    return Dashboard(
        user=user,
        month=month,
        funds_micros=balances.get(LedgerAccount.Code.FUNDS, 0),
        revenue_micros=balances.get(LedgerAccount.Code.REVENUE, 0),
        held_micros=balances.get(LedgerAccount.Code.REVENUE_HELD, 0),
        budget_micros=budget.amount_micros if budget else 0,
        is_revenue_reused=budget.is_revenue_reused if budget else False,
        lines=[Line(*row) for row in _rows(FLATTRS_SQL, params)],
        figures=Figures(*_rows(FIGURES_SQL, params)[0]),
        patron_statements=list(
            PatronStatement.objects.filter(patron=user, **closed).order_by("-month")[
                :STATEMENTS_SHOWN
            ]
        ),
        creator_statements=list(
            CreatorStatement.objects.filter(creator=user, **closed).order_by("-month", "currency")[
                :STATEMENTS_SHOWN
            ]
        ),
    )


def next_step(home: Dashboard) -> NextStep | None:
    """Return the one thing most worth doing now, money that would be missed before the rest."""
    for step in (_step_of_a_patron, _step_of_a_creator, _step_of_a_newcomer):
        found = step(home)
        if found:
            return found
    return None


def _step_of_a_patron(home: Dashboard) -> NextStep | None:
    presses = home.figures.open_presses
    if presses and not home.gives_micros:
        return NextStep(
            "Add money, and your flattr is made" if presses == 1 else "Add money for your flattrs",
            f"{_flattrs(presses)} kept for you and made as soon as your funds arrive.",
            "funds:add",
            "Add money",
        )
    if home.gives_micros < home.budget_micros:
        here = format_micros_floor(home.funds_micros, home.user.currency)
        budget = format_micros_floor(home.budget_micros, home.user.currency)
        return NextStep(
            "Your funds do not cover this month",
            f"You set aside {budget} a month and {here} is there. Only that much is shared.",
            "funds:add",
            "Add money",
        )
    return None


def _step_of_a_creator(home: Dashboard) -> NextStep | None:
    figures = home.figures
    if not home.has_means_to_receive and (figures.waiting_for_means or figures.received_flattrs):
        waiting = figures.waiting_for_means + figures.received_flattrs
        budget = format_micros_floor(settings.BUDGET_MIN_MICROS, home.user.currency)
        return NextStep(
            "Give, so that you can receive",
            f"{_flattrs(waiting)} waiting for you. They count once you set aside at least "
            f"{budget} a month yourself.",
            "funds:add",
            "Set up your month",
        )
    if figures.waiting_for_proof:
        return NextStep(
            "Show that your page is yours",
            f"{_flattrs(figures.waiting_for_proof)} waiting for a page that names you. "
            "Put your button on it, and let it be checked.",
            "buttons:things",
            "See your things",
        )
    if home.revenue_micros >= settings.WITHDRAWAL_MIN_MICROS:
        revenue = format_micros_floor(home.revenue_micros, home.user.currency)
        return NextStep(
            f"{revenue} is yours",
            "Withdraw it to your bank whenever you like, or leave it here.",
            "payouts:revenue",
            "Withdraw",
        )
    return None


def _step_of_a_newcomer(home: Dashboard) -> NextStep | None:
    if not home.gives_micros:
        return NextStep(
            "Set up your month",
            "Choose what you set aside each month. A click moves no money, and a month without "
            "clicks costs nothing.",
            "funds:add",
            "Add money",
        )
    if not home.figures.things:
        return NextStep(
            "You make things?",
            "One line of HTML puts a Flattr button on your page.",
            "buttons:snippet",
            "Get your button",
        )
    return None


def _flattrs(count: int) -> str:
    return "1 flattr is" if count == 1 else f"{count} flattrs are"


def _rows(sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
