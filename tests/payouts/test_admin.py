"""The audit: what admins see, how they follow money, and what they cannot do."""

import csv
import io
import uuid
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import User
from buttons.models import Flattr, Month, Thing
from funds import ledger
from funds.models import LedgerAccount, MonthlyBudget, TopUp, Transfer
from payouts.close import close_month
from payouts.models import (
    BooksCheck,
    ConnectedAccount,
    CreatorStatement,
    PatronStatement,
    Withdrawal,
)
from payouts.spreadsheet import guarded
from tests.payouts.cast import AUGUST, flattr, gives, micros, revenue_of, thing_of
from tests.payouts.going_out import earns, onboarded, withdraw

pytestmark = pytest.mark.django_db

MODELS = [
    Month,
    PatronStatement,
    CreatorStatement,
    Withdrawal,
    ConnectedAccount,
    BooksCheck,
    Transfer,
    LedgerAccount,
]


def url(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_{page}", args=args)


@pytest.fixture
def root(db, client):
    """The admin, signed in."""
    user = User.objects.create_superuser(
        username="root", email="root@example.org", password="correct horse battery"
    )
    client.force_login(user)
    return user


@pytest.fixture
def august(alice, bob, carol):
    """A closed month: Alice gave EUR 10.00, half of it to Bob and half to Carol."""
    gives(alice, "10.00")
    flattr(alice, thing_of(gives(bob, "2.00"), "essay"))
    flattr(alice, thing_of(gives(carol, "2.00"), "song"))
    close_month(AUGUST)


# Who may, and what nobody may.


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_rows_of_money_are_read_and_never_written(root, rf, model):
    request = rf.get("/")
    request.user = root
    page = admin.site._registry[model]
    assert page.has_view_permission(request)
    assert not page.has_add_permission(request)
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)
    assert page.get_actions(request) == {}


@pytest.mark.parametrize("is_staff", [False, True], ids=["anybody", "staff without rights"])
def test_others_see_nothing(august, mallory, bob, client, is_staff):
    made = withdraw(onboarded(bob), "4.00")
    User.objects.filter(pk=mallory.pk).update(is_staff=is_staff)
    client.force_login(User.objects.get(pk=mallory.pk))
    addresses = [url(model) for model in MODELS]
    addresses += [reverse("admin:payouts_share_list") + "?month=2024-08"]
    addresses += [reverse("admin:payouts_withdrawal_origin", args=[made.pk])]
    addresses += [reverse("admin:payouts_withdrawal_refuse", args=[made.pk])]
    addresses += [reverse("admin:buttons_month_payouts", args=["2024-08"])]
    answers = {client.get(address).status_code for address in addresses}
    assert answers <= {302, 403}
    assert client.post(reverse("admin:payouts_bookscheck_now")).status_code in (302, 403)
    assert not BooksCheck.objects.exists()


def test_who_may_only_look_decides_nothing(bob, mallory, client, settings):
    settings.REVIEW_FIRST_WITHDRAWAL = True
    made = withdraw(earns(onboarded(bob), "10.00"), "4.00")
    User.objects.filter(pk=mallory.pk).update(is_staff=True)
    mallory.user_permissions.add(Permission.objects.get(codename="view_withdrawal"))
    client.force_login(User.objects.get(pk=mallory.pk))
    assert client.get(url(Withdrawal, "change", made.pk)).status_code == 200
    assert client.post(url(Withdrawal, "approve", made.pk)).status_code == 403
    assert Withdrawal.objects.get().state == "in_review"


# The pages.


def test_a_month_shows_its_totals(august, root, client):
    page = client.get(url(Month)).text
    assert "2024-08" in page
    assert "EUR\xa010.00" in page
    assert "EUR\xa01.00" in page
    detail = client.get(url(Month, "change", AUGUST)).text
    assert "1 patrons, 2 flattrs, 2 creators" in detail
    assert "EUR\xa09.00 to creators" in detail


def test_an_open_month_has_no_totals_yet(root, client, august):
    Month.objects.create(month="2024-09-01", opened_at=datetime(2024, 10, 1, tzinfo=UTC))
    assert client.get(url(Month, "change", "2024-09-01")).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_list_and_each_row_opens(august, bob, root, client, model):
    withdraw(onboarded(bob), "4.00")
    client.post(reverse("admin:payouts_bookscheck_now"))
    assert client.get(url(model)).status_code == 200
    row = model.objects.first()
    assert client.get(url(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_each_list_can_be_searched_or_filtered(august, bob, root, client, model):
    page = admin.site._registry[model]
    for name in page.list_filter:
        field = str(name)
        assert model._meta.get_field(field)
    if page.search_fields:
        assert client.get(url(model), {"q": "bob"}).status_code == 200


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("alice", 2),
        ("ALICE@example.org", 2),
        ("month_budget:2024-08:{alice}:EUR", 1),
        ("nothing like it", 0),
        ("account:0", 0),
    ],
)
def test_transfers_are_found_by_person_and_by_fact(august, alice, root, client, term, expected):
    response = client.get(url(Transfer), {"q": term.format(alice=alice.pk)})
    assert response.context["cl"].result_count == expected


def test_the_balances_of_the_instance_are_sums(august, root, client):
    page = client.get(url(LedgerAccount), {"code__exact": "fees"}).text
    assert "EUR\xa01.00" in page
    pot = client.get(url(LedgerAccount), {"code__exact": "pot"}).text
    assert "EUR\xa00.00" in pot


def test_an_asset_is_above_zero(august, root, client):
    page = client.get(url(LedgerAccount), {"code__exact": "stripe_balance"}).text
    assert "EUR\xa0" in page and "-EUR" not in page


# Following the money.


def test_from_a_withdrawal_back_to_the_top_up(august, alice, bob, root, client):
    made = withdraw(onboarded(bob), "4.00")
    detail = client.get(url(Withdrawal, "change", made.pk)).text
    origin = reverse("admin:payouts_withdrawal_origin", args=[made.pk])
    assert origin in detail

    page = client.get(origin).text
    statement = CreatorStatement.objects.get(creator=bob)
    shares = f"{reverse('admin:payouts_share_list')}?month=2024-08&amp;creator={bob.pk}"
    assert url(CreatorStatement, "change", statement.pk) in page
    assert shares in page
    assert "EUR\xa04.00" in page

    page = client.get(shares.replace("&amp;", "&")).text
    given = PatronStatement.objects.get(patron=alice)
    assert "https://blog.example/essay" in page
    assert "https://blog.example/song" not in page
    assert url(PatronStatement, "change", given.pk) in page

    page = client.get(url(PatronStatement, "change", given.pk)).text
    top_up = TopUp.objects.get(user=alice)
    assert f"top-up {top_up.pk}" in page
    assert client.get(url(TopUp, "change", top_up.pk)).status_code == 200


def test_shares_of_a_month_that_is_none_are_not_there(root, client):
    address = reverse("admin:payouts_share_list")
    assert client.get(address).status_code == 404
    assert client.get(address, {"month": "2024-13"}).status_code == 404
    assert client.get(address, {"month": "2024-08", "patron": 999_999}).status_code == 404
    assert client.get(address, {"month": "2024-08"}).status_code == 200


# The review of a first withdrawal.


@pytest.fixture
def reviewed(bob, settings):
    settings.REVIEW_FIRST_WITHDRAWAL = True
    return withdraw(earns(onboarded(bob), "10.00"), "4.00")


def test_only_what_waits_shows_the_buttons(reviewed, root, client):
    page = client.get(url(Withdrawal, "change", reviewed.pk)).text
    assert "Approve and send" in page
    client.post(url(Withdrawal, "approve", reviewed.pk))
    page = client.get(url(Withdrawal, "change", reviewed.pk)).text
    assert "Approve and send" not in page


def test_approving_sends_it_once(reviewed, root, client):
    for _ in range(2):
        response = client.post(url(Withdrawal, "approve", reviewed.pk), follow=True)
    assert "does not wait for a decision any more" in response.text
    reviewed.refresh_from_db()
    assert (reviewed.state, reviewed.reviewed_by) == ("sending", root)


def test_looking_approves_nothing(reviewed, root, client):
    assert client.get(url(Withdrawal, "approve", reviewed.pk)).status_code == 405


def test_refusing_needs_a_reason_and_gives_the_money_back(reviewed, bob, root, client):
    address = url(Withdrawal, "refuse", reviewed.pk)
    assert client.get(address).status_code == 200
    assert client.post(address, {"reason": " "}).status_code == 400
    assert Withdrawal.objects.get().state == "in_review"
    client.post(address, {"reason": "Not your page."})
    reviewed.refresh_from_db()
    assert (reviewed.state, reviewed.failure) == ("refused", "Not your page.")
    assert revenue_of(bob) == micros("10.00")


def test_nobody_decides_about_their_own(reviewed, bob, client):
    User.objects.filter(pk=bob.pk).update(is_staff=True, is_superuser=True)
    client.force_login(User.objects.get(pk=bob.pk))
    response = client.post(url(Withdrawal, "approve", reviewed.pk), follow=True)
    assert "Nobody decides about their own withdrawal." in response.text
    assert Withdrawal.objects.get().state == "in_review"


# The payouts of a month as CSV.


def rows_of(response):
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))


def test_the_payouts_of_a_month_as_csv(august, bob, root, client):
    onboarded(bob)
    response = client.get(reverse("admin:buttons_month_payouts", args=["2024-08"]))
    header, *rows = rows_of(response)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert [dict(zip(header, row, strict=True))["username"] for row in rows] == ["bob", "carol"]
    first = dict(zip(header, rows[0], strict=True))
    assert (first["gross"], first["fee"], first["net"]) == ("5.000000", "0.500000", "4.500000")
    assert first["stripe_account_id"] == "acct_of_a_test"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(name):
    assert guarded(name) == f"'{name}"
    assert guarded(5) == 5
    assert guarded("bob") == "bob"


def test_a_mail_address_is_no_formula_in_the_export(august, bob, root, client):
    User.objects.filter(pk=bob.pk).update(email="=cmd@example.org")
    response = client.get(reverse("admin:buttons_month_payouts", args=["2024-08"]))
    assert rows_of(response)[1][-1] == "'=cmd@example.org"


# The check of the books.


def test_the_books_are_checked_from_the_admin(august, root, client):
    page = client.post(reverse("admin:payouts_bookscheck_now"), follow=True).text
    assert BooksCheck.objects.get().is_sound
    assert "Nothing" in page
    assert "sound" in client.get(url(BooksCheck)).text


@pytest.mark.breaks_ledger
def test_what_is_broken_is_shown(root, bob, client):
    bob.withdrawals.create(currency="EUR", amount_micros=1_000_000, state="in_review")
    page = client.post(reverse("admin:payouts_bookscheck_now"), follow=True).text
    assert "Each withdrawal reserved its amount" in page
    assert not BooksCheck.objects.get().is_sound


# A thousand rows.

ROWS = 1_000
QUERIES_MAX = 14


@pytest.fixture
def thousand():
    """A closed month in which a thousand patrons each gave to a creator of their own."""
    names = [f"{role}{n:04}" for n in range(ROWS) for role in ("patron", "creator")]
    users = User.objects.bulk_create(
        User(username=name, email=f"{name}@example.org", is_exempt_from_means=True)
        for name in names
    )
    patrons, creators = users[::2], users[1::2]
    MonthlyBudget.objects.bulk_create(
        MonthlyBudget(user=patron, amount_micros=micros("2.00")) for patron in patrons
    )
    TopUp.objects.bulk_create(
        TopUp(user=patron, currency="EUR", amount_micros=micros("2.00"), state="paid")
        for patron in patrons
    )
    ids = [patron.pk for patron in patrons]
    ledger.ensure_accounts("SELECT 'funds', 'EUR', unnest(%s), NULL::date", [ids])
    stripe = ledger.account_of("stripe_balance", currency="EUR")
    ledger.post_rows(
        """SELECT 'top_up:' || t.id, 'top_up', %s, a.id, t.amount_micros, NULL::date
        FROM funds_topup t JOIN funds_ledgeraccount a USING (user_id)""",
        [stripe.pk],
    )
    things = Thing.objects.bulk_create(
        Thing(url=f"https://blog.example/{creator.username}", owner=creator) for creator in creators
    )
    Flattr.objects.bulk_create(
        Flattr(
            patron=patron,
            thing=thing,
            month=AUGUST,
            created_at=datetime(2024, 8, 10, tzinfo=UTC),
        )
        for patron, thing in zip(patrons, things, strict=True)
    )
    close_month(AUGUST)
    for creator in creators[:5]:
        withdraw(onboarded(creator, f"acct_{creator.pk}"), "1.00")
    ConnectedAccount.objects.bulk_create(
        ConnectedAccount(user=creator, stripe_account_id=f"acct_{creator.pk}")
        for creator in creators[5:]
    )
    return patrons, creators


def test_no_page_asks_more_for_a_thousand_rows(
    thousand, root, client, django_assert_max_num_queries
):
    addresses = [url(model) for model in (*MODELS, User, TopUp)]
    addresses += [f"{reverse('admin:payouts_share_list')}?month=2024-08"]
    addresses += [reverse("admin:payouts_withdrawal_origin", args=[Withdrawal.objects.first().pk])]
    for address in addresses:
        with django_assert_max_num_queries(QUERIES_MAX):
            assert client.get(address).status_code == 200, address


def test_the_export_of_a_thousand_asks_once(thousand, root, client, django_assert_max_num_queries):
    with django_assert_max_num_queries(6):
        rows = rows_of(client.get(reverse("admin:buttons_month_payouts", args=["2024-08"])))
    assert len(rows) == 1 + ROWS


def test_a_thousand_withdrawals_are_one_page_of_questions(
    thousand, root, client, django_assert_max_num_queries
):
    _, creators = thousand
    Withdrawal.objects.bulk_create(
        Withdrawal(
            user=user, currency="EUR", amount_micros=10_000, state="refused", pk=uuid.uuid4()
        )
        for user in creators
    )
    with django_assert_max_num_queries(QUERIES_MAX):
        assert client.get(url(Withdrawal)).status_code == 200
    Withdrawal.objects.filter(state="refused").delete()
