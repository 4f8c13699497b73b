"""The outbox and the gateway as other apps use them: accounts, transfers, and what errors mean."""

import uuid
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from funds import outbox, stripe_gateway, webhooks
from funds.models import StripeRequest
from funds.stripe_gateway import BadSignature, StripeRefused, StripeUnreachable, verified_event
from sandbox.stripe import browser

pytestmark = pytest.mark.django_db
KINDS = ("connected_account", "withdrawal")


@pytest.fixture
def answers(monkeypatch):
    """Take the answers to the two kinds of request that payouts makes."""
    got: list[StripeRequest] = []
    monkeypatch.setattr(outbox, "_appliers", dict.fromkeys(KINDS, got.append))
    return got


def write(kind, params):
    with transaction.atomic():
        return outbox.write_request(kind, uuid.uuid4(), params, f"{kind}:{uuid.uuid4()}")


def write_account():
    metadata = {"user_id": str(uuid.uuid4())}
    capabilities = {"transfers": {"requested": True}}
    return write(
        "connected_account",
        {"type": "express", "country": "DE", "capabilities": capabilities, "metadata": metadata},
    )


@pytest.fixture
def account_id(stripe_sandbox, answers):
    request = outbox.send_request(write_account().pk)
    link = stripe_gateway.create_account_link(
        request.stripe_object_id, "http://localhost/again", "http://localhost/back"
    )
    browser.finish_onboarding(link)
    answers.clear()
    return request.stripe_object_id


def write_withdrawal(account_id, cents=100):
    group = f"withdrawal:{uuid.uuid4()}"
    return write(
        "withdrawal",
        {"amount": cents, "currency": "eur", "destination": account_id, "transfer_group": group},
    )


def try_now(request):
    StripeRequest.objects.update(next_try_at=timezone.now())
    outbox.send_due_requests()
    request.refresh_from_db()
    return request


def test_an_answer_is_applied_once_with_stripes_object(account_id, stripe_sandbox, answers):
    stripe_sandbox.control("deposit", amount=100)
    request = write_withdrawal(account_id)
    outbox.send_request(request.pk)
    outbox.send_request(request.pk)
    (answer,) = answers
    assert answer.response["transfer_group"] == request.params["transfer_group"]
    assert stripe_gateway.retrieve_transfer(answer.stripe_object_id)["amount"] == 100


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "error_before", "error_after"])
def test_a_transfer_without_an_answer_is_made_once(account_id, stripe_sandbox, answers, kind):
    stripe_sandbox.control("deposit", amount=1_000)
    stripe_sandbox.fail_next(kind, "/v1/transfers")
    request = outbox.send_request(write_withdrawal(account_id).pk)
    assert (request.state, request.is_outcome_unknown, answers) == ("due", True, [])
    assert try_now(request).state == "done"
    assert stripe_gateway.balance_cents() == {"EUR": 900}


def test_a_question_that_is_refused_says_nothing_about_the_transfer(
    account_id, stripe_sandbox, answers, monkeypatch
):
    """The transfer may have been made: a refusal would give the reserved money back as well."""
    stripe_sandbox.control("deposit", amount=1_000)
    stripe_sandbox.fail_next("drop_after", "/v1/transfers")
    request = outbox.send_request(write_withdrawal(account_id).pk)
    with monkeypatch.context() as patch:
        patch.setattr(stripe_gateway, "find", lambda *args: refuse())
        assert try_now(request).state == "due"
    assert (request.is_outcome_unknown, answers) == (True, [])
    assert try_now(request).state == "done"
    assert stripe_gateway.balance_cents() == {"EUR": 900}


def refuse():
    raise StripeRefused("There is no such list.", "resource_missing")


def test_no_key_is_used_twice_after_a_failure(stripe_sandbox, answers):
    """Stripe repeats its answer for a key, also when an admin has asked for another round."""
    stripe_sandbox.fail_next("error_before", "/v1/accounts", times=12)
    request = write_account()
    keys = []
    for _ in range(12):
        keys.append(try_now(request).idempotency_key)
        outbox.try_again(request.pk)
    assert len(set(keys)) == 12


@pytest.mark.parametrize("kind", ["drop_after", "error_after"])
def test_an_account_without_an_answer_is_made_once(stripe_sandbox, answers, kind):
    stripe_sandbox.fail_next(kind, "/v1/accounts")
    request = outbox.send_request(write_account().pk)
    assert try_now(request).state == "done"
    accounts = stripe_gateway._rows(stripe_gateway._api().accounts.list, {})
    assert [row["id"] for row in accounts] == [request.stripe_object_id]


def test_a_balance_that_does_not_suffice_yet_is_no_refusal(account_id, stripe_sandbox, answers):
    request = outbox.send_request(write_withdrawal(account_id).pk)
    assert (request.state, request.is_outcome_unknown) == ("due", False)
    stripe_sandbox.control("deposit", amount=100)
    assert try_now(request).state == "done"
    assert len(answers) == 1


def test_a_refusal_is_applied_with_its_code(stripe_sandbox, answers):
    request = outbox.send_request(write_withdrawal("acct_nobody").pk)
    assert (request.state, request.refusal_code) == ("refused", "resource_missing")
    assert answers == [request]


def test_an_applier_that_fails_leaves_the_request_due(stripe_sandbox, monkeypatch):
    """What the answer means is recorded with it or not at all; then the object is found."""

    def fail(request):
        raise RuntimeError

    monkeypatch.setattr(outbox, "_appliers", dict.fromkeys(KINDS, fail))
    request = write_account()
    with pytest.raises(RuntimeError):
        outbox.send_request(request.pk)
    request.refresh_from_db()
    assert (request.state, request.is_outcome_unknown) == ("due", True)


def test_one_broken_request_does_not_keep_the_others(stripe_sandbox, monkeypatch):
    broken, whole = write_account_with_appliers(monkeypatch)
    outbox.send_due_requests()
    broken.refresh_from_db()
    whole.refresh_from_db()
    assert (broken.state, whole.state) == ("due", "done")


def write_account_with_appliers(monkeypatch):
    def fail_first(request):
        if request.pk == broken.pk:
            raise RuntimeError

    monkeypatch.setattr(outbox, "_appliers", dict.fromkeys(KINDS, fail_first))
    broken, whole = write_account(), write_account()
    return broken, whole


def test_the_same_key_writes_one_request(answers):
    with transaction.atomic():
        first = outbox.write_request("withdrawal", uuid.uuid4(), {"amount": 1}, "once")
        second = outbox.write_request("withdrawal", uuid.uuid4(), {"amount": 2}, "once")
    assert first == second
    assert second.params == {"amount": 1}


def test_a_kind_that_nobody_applies_is_our_mistake(db):
    with pytest.raises(AssertionError), transaction.atomic():
        outbox.write_request("mystery", uuid.uuid4(), {}, "key")


@pytest.mark.parametrize("kind", ["drop_before", "error_before", "rate_limit"])
def test_silence_and_faults_are_no_refusal(stripe_sandbox, kind):
    stripe_sandbox.control("faults", kind=kind, path="/v1/balance")
    with pytest.raises(StripeUnreachable):
        stripe_gateway.balance_cents()


def test_a_wrong_key_is_no_refusal(stripe_sandbox, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_wrong"
    with pytest.raises(StripeUnreachable):
        stripe_gateway.balance_cents()


def test_a_server_that_is_not_there_is_unreachable(settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    with pytest.raises(StripeUnreachable):
        stripe_gateway.balance_cents()


def test_what_stripe_does_not_know_is_a_refusal(stripe_sandbox):
    with pytest.raises(StripeRefused) as refusal:
        stripe_gateway.retrieve_refund("re_nothing")
    assert refusal.value.code == "resource_missing"


@pytest.mark.parametrize(
    "signature", ["", "t=1", "v1=x", "t=,v1=x", "t=99999999999999999999,v1=x", "\x00", "t=1,v1=é"]
)
def test_a_signature_that_is_none_is_refused(signature):
    with pytest.raises(BadSignature):
        verified_event(b"{}", signature, "whsec_x")


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"null"])
def test_a_body_that_is_no_text_is_refused(payload):
    with pytest.raises(BadSignature):
        verified_event(payload, "t=1,v1=x", "whsec_x")


def test_the_modules_pin_one_version_of_the_api():
    """The SDK's types are those of this version; they move together."""
    import stripe

    assert stripe._api_version._ApiVersion.CURRENT == stripe_gateway.API_VERSION


def test_the_operator_is_told_each_type_of_event_that_is_handled():
    """A type that Stripe does not send is a payment that is credited an hour late."""
    hosting = (Path(__file__).resolve().parents[2] / "docs" / "hosting.md").read_text()
    assert [name for name in webhooks._handlers if f"`{name}`" not in hosting] == []
    assert f"`{stripe_gateway.API_VERSION}`" in hosting


def test_events_of_connected_accounts_come_with_their_secret_only(stripe_sandbox, account_id):
    (webhook,) = [each for each in stripe_sandbox.take() if each["type"] == "account.updated"]
    payload, signature = webhook["payload"].encode(), webhook["signature"]
    with pytest.raises(BadSignature):
        verified_event(payload, signature, webhooks.secret_of("account"))
    event = verified_event(payload, signature, webhooks.secret_of("connect"))
    assert event["account"] == account_id
