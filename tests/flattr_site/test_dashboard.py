from datetime import UTC, datetime, timedelta

import pytest

from buttons.models import Claim, Flattr, Month, Press, Thing
from buttons.months import current_month, months_before
from flattr_site.dashboard import dashboard_of
from funds import ledger
from funds.models import MonthlyBudget
from payouts.close import close_month
from payouts.models import CreatorStatement, PatronStatement, Share

CENT = 10_000


def fund(user, cents, code="funds"):
    ledger.post(
        f"test:{user.pk}:{code}",
        "correction",
        debit=ledger.account_of("stripe_balance", currency="EUR"),
        credit=ledger.account_of(code, currency="EUR", user=user),
        amount_micros=cents * CENT,
        reason="a test",
    )


def set_aside(user, cents, **fields):
    MonthlyBudget.objects.create(user=user, amount_micros=cents * CENT, **fields)


def flattr(patron, name, owner=None, state="made", months_ago=0):
    thing, _ = Thing.objects.get_or_create(
        url=f"https://blog.example/{name}", defaults={"title": name, "owner": owner}
    )
    month = months_before(current_month(), months_ago)
    return Flattr.objects.create(
        patron=patron, thing=thing, month=month, state=state, created_at=datetime.now(UTC)
    )


def names(lines):
    return sorted(line.title for line in lines)


@pytest.fixture
def able_bob(bob):
    fund(bob, 200)
    set_aside(bob, 200)
    return bob


@pytest.fixture
def patron(alice):
    fund(alice, 1_000)
    set_aside(alice, 500)
    return alice


def test_the_month_is_shared_evenly_over_what_would_count(patron, able_bob):
    for name in ("tea", "milk", "sugar"):
        flattr(patron, name, able_bob)
    flattr(patron, "unclaimed")
    home = dashboard_of(patron)
    assert names(home.counted) == ["milk", "sugar", "tea"]
    assert home.share_micros == 1_666_666
    assert home.months_covered == 2


def test_funds_below_the_budget_are_what_is_shared(alice, able_bob):
    fund(alice, 100)
    set_aside(alice, 500)
    flattr(alice, "tea", able_bob)
    home = dashboard_of(alice)
    assert home.share_micros == 100 * CENT
    assert home.next_step and home.next_step.title == "Your funds do not cover this month"


def test_each_that_waits_says_why(patron, bob, carol, mallory):
    mallory.is_active = False
    mallory.save(update_fields=["is_active"])
    flattr(patron, "nobody")
    flattr(patron, "poor", bob, state="waiting", months_ago=2)
    flattr(patron, "closed", mallory)
    flattr(patron, "own", patron)
    carol.is_exempt_from_means = True
    carol.save(update_fields=["is_exempt_from_means"])
    flattr(patron, "exempt", carol, state="waiting", months_ago=1)
    home = dashboard_of(patron)
    assert names(home.counted) == ["exempt"]
    assert {line.title: line.why for line in home.waiting} == {
        "nobody": "unproven",
        "poor": "means",
        "closed": "closed",
        "own": "own",
    }


@pytest.mark.parametrize(
    ("cents", "is_reused", "is_able"),
    [
        (199, True, False),
        (200, True, True),
        (200, False, False),
    ],
)
def test_an_owner_with_revenue_can_receive(patron, bob, cents, is_reused, is_able):
    """As the close decides: revenue covers the smallest budget, unless they opted out."""
    fund(bob, cents, "revenue")
    set_aside(bob, 200, is_revenue_reused=is_reused)
    flattr(patron, "tea", bob)
    assert bool(dashboard_of(patron).counted) is is_able
    assert dashboard_of(bob).has_means_to_receive is is_able


def test_undone_and_dropped_flattrs_are_gone(patron, able_bob):
    for state in ("undone", "dropped", "expired", "counted"):
        flattr(patron, state, able_bob, state=state)
    assert dashboard_of(patron).lines == []


def test_the_page_shows_a_few_and_counts_all(client, patron, able_bob):
    for number in range(12):
        flattr(patron, f"essay {number}", able_bob)
    home = dashboard_of(patron)
    assert (len(home.counted), home.counted_flattrs) == (8, 12)


def test_a_month_under_way_to_be_closed_is_announced(patron, able_bob):
    flattr(patron, "tea", able_bob, months_ago=1)
    assert dashboard_of(patron).figures.flattrs_being_shared == 1
    at = datetime.now(UTC)
    last = months_before(current_month(), 1)
    Month.objects.create(month=last, state="closed", opened_at=at, closed_at=at)
    assert dashboard_of(patron).figures.flattrs_being_shared == 0


def title(user):
    step = dashboard_of(user).next_step
    return step.title if step else None


def test_a_newcomer_is_led_to_a_first_month(alice):
    assert title(alice) == "Set up your month"
    assert dashboard_of(alice).is_first_run


def test_a_kept_press_comes_first(alice):
    Press.objects.create(
        patron=alice,
        submission={},
        url="https://blog.example/",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    assert title(alice) == "Add money, and your flattr is made"


def test_a_creator_without_means_is_told_what_waits(alice, bob):
    flattr(alice, "tea", bob, state="waiting", months_ago=1)
    assert title(bob) == "Give, so that you can receive"


def test_a_creator_without_proof_is_told_what_waits(alice, able_bob):
    waiting = flattr(alice, "tea")
    Claim.objects.create(thing=waiting.thing, user=able_bob)
    assert title(able_bob) == "Show that your page is yours"


@pytest.mark.parametrize(("cents", "offered"), [(99, False), (100, True)])
def test_revenue_is_offered_from_the_smallest_withdrawal(able_bob, cents, offered):
    fund(able_bob, cents, "revenue")
    assert (title(able_bob) == "EUR\xa01.00 is yours") is offered


@pytest.mark.breaks_ledger  # The statements are made up, without shares behind them.
def test_the_dashboard_asks_a_fixed_number_of_questions(
    client, patron, able_bob, django_assert_num_queries
):
    client.force_login(patron)
    client.get("/dashboard/")
    with django_assert_num_queries(9):
        client.get("/dashboard/")
    at = datetime.now(UTC)
    for number in range(30):
        flattr(patron, f"essay {number}", able_bob)
        flattr(patron, f"mystery {number}")
    for ago in range(1, 12):
        month = Month.objects.create(
            month=months_before(current_month(), ago), state="closed", opened_at=at, closed_at=at
        )
        facts = {"month": month, "currency": "EUR", "flattrs": 3}
        PatronStatement.objects.create(
            patron=patron,
            budget_micros=5,
            given_micros=5,
            waiting_flattrs=0,
            flattr_ids=[1, 2, 3],
            thing_ids=[4, 5, 6],
            creator_ids=[0, 0, 0],
            **facts,
        )
        CreatorStatement.objects.create(
            creator=patron, gross_micros=100, fee_micros=10, patrons=2, **facts
        )
    with django_assert_num_queries(9):
        page = client.get("/dashboard/").content.decode()
    assert "All 30 flattrs" in page
    assert "All 30 that wait" in page


def test_nobody_sees_the_dashboard_of_another(client, alice):
    assert client.get("/dashboard/").headers["Location"].startswith("/accounts/login/")


def test_the_close_does_what_the_dashboard_announced(settings, patron, able_bob, carol, mallory):
    """Two statements decide who can receive; this holds them to one rule."""
    settings.SANDBOX = True
    fund(mallory, 150, "revenue")
    fund(mallory, 100)
    set_aside(mallory, 200)
    for number in range(10):
        flattr(patron, f"tea {number}", able_bob)
    flattr(patron, "garden", mallory)
    flattr(patron, "poor", carol)
    flattr(patron, "nobody")
    flattr(patron, "own", patron)
    flattr(patron, "long ago", able_bob, state="waiting", months_ago=2)
    at = datetime.now(UTC)
    for ago in (1, 2):
        month = months_before(current_month(), ago)
        Month.objects.create(month=month, state="closed", opened_at=at, closed_at=at)
    before = dashboard_of(patron)
    close_month(current_month(), is_early=True)
    (statement,) = dashboard_of(patron).patron_statements
    assert (statement.flattrs, statement.given_micros) == (12, 500 * CENT)
    assert statement.flattrs == before.counted_flattrs
    assert statement.given_micros == before.gives_micros
    amounts = set(Share.objects.filter(patron=patron).values_list("amount_micros", flat=True))
    assert amounts == {before.share_micros, before.share_micros + 1}
    after = dashboard_of(patron)
    assert names(after.waiting) == ["nobody", "poor"]
