"""The statement and the budget's page."""

import re
from itertools import pairwise

import pytest
from celery import Celery
from django.urls import reverse

from accounts.models import User
from funds.budgets import (
    BudgetRefused,
    budget_micros,
    has_means_to_give,
    has_means_to_receive,
    set_budget,
)
from funds.ledger import account_of, pend, post, void_pending
from funds.models import MonthlyBudget
from funds.statement import StatementLines
from tests.funds.paying import UNIT, funds_of, give_funds, spend

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(alice, client):
    client.force_login(alice)
    return client


def lines_of(user):
    return list(StatementLines(account_of("funds", currency="EUR", user=user)))


def test_the_balance_runs_with_the_lines(alice):
    give_funds(alice, 10 * UNIT)
    spend(alice, 4 * UNIT)
    give_funds(alice, 3 * UNIT)
    lines = {line.signed_micros: line for line in lines_of(alice)}
    assert set(lines) == {10 * UNIT, -4 * UNIT, 3 * UNIT}
    newest_first = lines_of(alice)
    assert newest_first[0].balance_micros == 9 * UNIT
    for newer, older in pairwise(newest_first):
        assert newer.balance_micros == older.balance_micros + newer.signed_micros


def test_the_balance_is_never_shown_below_zero(alice):
    """All of this shares one transaction, and so one time."""
    for _ in range(4):
        give_funds(alice, UNIT)
        spend(alice, funds_of(alice))
    give_funds(alice, UNIT)
    assert min(line.balance_micros for line in lines_of(alice)) >= 0


def test_what_is_only_reserved_has_no_line(alice):
    give_funds(alice, 10 * UNIT)
    pending = pend(
        "reserved",
        "top_up_reversal",
        debit=account_of("funds", currency="EUR", user=alice),
        credit=account_of("stripe_balance", currency="EUR"),
        amount_micros=UNIT,
    )
    assert len(lines_of(alice)) == 1
    void_pending(pending)
    assert [line.balance_micros for line in lines_of(alice)] == [10 * UNIT]


def test_a_statement_shows_its_own_persons_lines(alice, mallory, client):
    give_funds(alice, 7 * UNIT)
    client.force_login(mallory)
    page = client.get(reverse("funds:statement"))
    assert "7.00" not in page.content.decode()
    assert "Nothing yet" in page.content.decode()


def test_a_statement_of_many_pages_asks_as_often_as_a_short_one(
    alice, signed_in, django_assert_max_num_queries
):
    for _ in range(65):
        give_funds(alice, UNIT)
    account_of("stripe_balance", currency="EUR")
    with django_assert_max_num_queries(8):
        page = signed_in.get(reverse("funds:statement"), {"page": 2})
    assert page.context["page"].object_list[0].balance_micros == 35 * UNIT
    assert "Page 2 of 3" in page.content.decode()


@pytest.mark.parametrize("page", ["0", "-1", "999", "x"])
def test_a_page_that_is_none_shows_one_that_is(alice, signed_in, page):
    give_funds(alice, UNIT)
    assert signed_in.get(reverse("funds:statement"), {"page": page}).status_code == 200


@pytest.mark.parametrize(
    ("micros", "is_allowed"),
    [
        (2 * UNIT, True),
        (0, True),
        (2 * UNIT - 10_000, False),
        (150 * UNIT, True),
        (150 * UNIT + 10_000, False),
        (2 * UNIT + 1, False),
        (-2 * UNIT, False),
    ],
)
def test_a_budget_is_whole_cents_between_the_smallest_and_what_is_kept(alice, micros, is_allowed):
    if is_allowed:
        assert set_budget(alice, micros).amount_micros == micros
    else:
        with pytest.raises(BudgetRefused):
            set_budget(alice, micros)
        assert MonthlyBudget.objects.count() == 0


def test_the_budget_is_changed_and_paused_on_its_page(alice, signed_in):
    signed_in.post(reverse("funds:budget"), {"amount": "500"})
    assert budget_micros(alice) == 5 * UNIT
    signed_in.post(reverse("funds:budget"), {"own_amount": "7,25"})
    assert budget_micros(alice) == 7_250_000
    page = signed_in.get(reverse("funds:budget")).content.decode()
    assert re.search(r'value="725"[^>]*checked', page)
    signed_in.post(reverse("funds:budget"), {"amount": "0"})
    assert budget_micros(alice) == 0


@pytest.mark.parametrize("typed", ["1.99", "-5", "1e9", "NaN", "2.505", "150.01", ""])
def test_a_budget_that_is_none_is_refused_and_nothing_changes(alice, signed_in, typed):
    set_budget(alice, 5 * UNIT)
    answer = signed_in.post(reverse("funds:budget"), {"own_amount": typed})
    assert answer.status_code == 400
    assert 'class="errors"' in answer.content.decode() or "aria-invalid" in answer.content.decode()
    assert budget_micros(alice) == 5 * UNIT


def test_a_creator_decides_whether_revenue_fills_up_a_budget(alice, signed_in):
    set_budget(alice, 5 * UNIT)
    page = reverse("funds:budget")
    assert "Keep my revenue" in signed_in.get(page).text
    signed_in.post(reverse("funds:reuse"), {"is_reused": "0"})
    assert not MonthlyBudget.objects.get().is_revenue_reused
    assert "Use my revenue" in signed_in.get(page).text
    signed_in.post(reverse("funds:reuse"), {"is_reused": "1"})
    assert MonthlyBudget.objects.get().is_revenue_reused


def test_where_nothing_needs_revenue_nobody_is_asked_about_it(alice, signed_in, settings):
    assert "revenue</button>" not in signed_in.get(reverse("funds:budget")).text
    set_budget(alice, 5 * UNIT)
    settings.GIVE_TO_RECEIVE = False
    assert "revenue</button>" not in signed_in.get(reverse("funds:budget")).text


def test_the_reuse_of_revenue_survives_another_budget(alice):
    set_budget(alice, 5 * UNIT)
    MonthlyBudget.objects.update(is_revenue_reused=False)
    set_budget(alice, 6 * UNIT)
    assert not MonthlyBudget.objects.get().is_revenue_reused


@pytest.mark.parametrize(
    ("budget", "funds", "is_able"),
    [(2, 1, True), (2, 0, False), (0, 5, False), (None, 5, False)],
)
def test_giving_needs_a_budget_and_funds(alice, budget, funds, is_able):
    if budget is not None:
        set_budget(alice, budget * UNIT)
    if funds:
        give_funds(alice, funds * UNIT)
    assert has_means_to_give(alice) is is_able


@pytest.mark.parametrize(
    ("funds", "revenue", "is_reused", "is_able"),
    [
        (2_000_000, 0, True, True),
        (1_999_999, 0, True, False),
        (1_000_000, 1_000_000, True, True),
        (1_000_000, 1_000_000, False, False),
    ],
)
def test_receiving_needs_the_smallest_budget_covered(alice, funds, revenue, is_reused, is_able):
    set_budget(alice, 2 * UNIT)
    MonthlyBudget.objects.update(is_revenue_reused=is_reused)
    give_funds(alice, funds)
    if revenue:
        post(
            "earned",
            "correction",
            debit=account_of("fees", currency="EUR"),
            credit=account_of("revenue", currency="EUR", user=alice),
            amount_micros=revenue,
            reason="A test earns.",
        )
    assert has_means_to_receive(alice) is is_able


def test_who_is_exempt_receives_without_giving(alice, settings):
    assert not has_means_to_receive(alice)
    User.objects.update(is_exempt_from_means=True)
    alice.refresh_from_db()
    assert has_means_to_receive(alice)


def test_everybody_receives_where_giving_is_not_asked_for(alice, settings):
    settings.GIVE_TO_RECEIVE = False
    assert has_means_to_receive(alice)


def test_a_broker_that_is_down_costs_a_minute_and_no_budget(
    alice, settings, monkeypatch, caplog, django_capture_on_commit_callbacks
):
    """The real library against a port where nothing listens, with the site's own options."""
    broken = Celery("broken", broker="redis://127.0.0.1:1/0")
    broken.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr("funds.hints.current_app", broken)
    give_funds(alice, UNIT)
    with django_capture_on_commit_callbacks(execute=True):
        set_budget(alice, 2 * UNIT)
    assert budget_micros(alice) == 2 * UNIT
    assert "No hint for buttons.tasks.complete_presses" in caplog.text


def test_gaining_means_lets_presses_be_completed_at_once(
    alice, settings, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr("funds.hints.current_app.send_task", lambda name, **_: sent.append(name))
    with django_capture_on_commit_callbacks(execute=True):
        set_budget(alice, 2 * UNIT)
        assert sent == []
        give_funds(alice, UNIT)
        set_budget(alice, 3 * UNIT)
        assert sent == []
    assert sent == [settings.MEANS_GAINED_TASK]


@pytest.mark.parametrize(
    ("budget_cents", "chosen", "typed"), [(1_000, "1000", ""), (700, "", "EUR\u00a07.00")]
)
def test_the_first_form_comes_back_with_its_budget_until_it_was_paid(
    alice, signed_in, budget_cents, chosen, typed
):
    set_budget(alice, budget_cents * 10_000)
    page = signed_in.get("/funds/add/")
    assert "Set up your month" in page.content.decode()
    form = page.context["form"]
    assert (form["amount"].initial, form["own_amount"].initial) == (chosen, typed)


def test_who_paid_once_is_asked_for_an_amount_only(alice, signed_in):
    set_budget(alice, 5 * UNIT)
    give_funds(alice, 5 * UNIT)
    spend(alice, 5 * UNIT)
    assert "Set up your month" not in signed_in.get("/funds/add/").content.decode()
