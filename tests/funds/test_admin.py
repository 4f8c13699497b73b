"""What an admin sees of the money: every list, at any length, with the same number of queries."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from funds.models import MonthlyBudget, StripeEvent, StripeRequest, TopUp, TopUpReturn
from tests.funds.paying import UNIT

pytestmark = pytest.mark.django_db
LISTS = ["topup", "topupreturn", "monthlybudget", "stripecustomer", "striperequest", "stripeevent"]


@pytest.fixture
def admin_client(client, alice):
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    client.force_login(User.objects.get(pk=alice.pk))
    return client


def fill(alice, count):
    users = User.objects.bulk_create(
        User(email=f"u{index}@example.org", username=f"u{index}") for index in range(count)
    )
    top_ups = TopUp.objects.bulk_create(
        TopUp(user=user, currency="EUR", amount_micros=UNIT, state="expired") for user in users
    )
    TopUpReturn.objects.bulk_create(
        TopUpReturn(top_up=top_up, amount_micros=UNIT, state="failed") for top_up in top_ups
    )
    MonthlyBudget.objects.bulk_create(
        MonthlyBudget(user=user, amount_micros=2 * UNIT) for user in users
    )


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_many_asks_as_often_as_a_list_of_few(
    alice, admin_client, django_assert_max_num_queries, name
):
    fill(alice, 60)
    address = reverse(f"admin:funds_{name}_changelist")
    with django_assert_max_num_queries(14):
        assert admin_client.get(address).status_code == 200
    assert admin_client.get(address, {"q": "u1"}).status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_nothing_is_added_by_hand(admin_client, name):
    assert admin_client.get(reverse(f"admin:funds_{name}_add")).status_code == 403


def test_what_needs_attention_is_sent_and_applied_again(admin_client):
    request = StripeRequest.objects.create(
        kind="refund", subject_id="00000000-0000-0000-0000-000000000000", params={},
        idempotency_key="x", state="needs_attention", attempts=8,
    )  # fmt: skip
    event = StripeEvent.objects.create(
        stripe_event_id="evt_1", type="refund.failed", body={}, state="needs_attention",
        attempts=8, stripe_created_at=timezone.now(),
    )  # fmt: skip
    for name, action, key in (
        ("striperequest", "send_again", request.pk),
        ("stripeevent", "apply_again", event.pk),
    ):
        admin_client.post(
            reverse(f"admin:funds_{name}_changelist"),
            {"action": action, "_selected_action": [str(key)]},
        )
    request.refresh_from_db()
    event.refresh_from_db()
    assert (request.state, request.attempts) == ("due", 0)
    assert (event.state, event.attempts) == ("received", 0)


def test_who_may_only_look_sends_nothing_again(alice, client):
    request = StripeRequest.objects.create(
        kind="refund", subject_id="00000000-0000-0000-0000-000000000000", params={},
        idempotency_key="x", state="needs_attention", attempts=8,
    )  # fmt: skip
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    alice.user_permissions.add(Permission.objects.get(codename="view_striperequest"))
    client.force_login(User.objects.get(pk=alice.pk))
    client.post(
        reverse("admin:funds_striperequest_changelist"),
        {"action": "send_again", "_selected_action": [str(request.pk)]},
    )
    request.refresh_from_db()
    assert request.state == "needs_attention"


def test_staff_without_the_right_sees_no_money(alice, client):
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    client.force_login(User.objects.get(pk=alice.pk))
    address = reverse("admin:funds_topup_changelist")
    assert client.get(address).status_code == 403
    alice.user_permissions.add(Permission.objects.get(codename="view_topup"))
    assert client.get(address).status_code == 200
