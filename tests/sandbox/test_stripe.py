"""The sandbox speaks as Stripe does: the SDK is real, and so is the connection."""

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import stripe

from sandbox.stripe import browser
from sandbox.stripe.deliveries import Courier
from sandbox.stripe.server import HOST, Server
from sandbox.stripe.store import Store
from sandbox.stripe.world import Endpoint, World
from tests.stripe_fixtures import SECRET_KEY, WEBHOOK_SECRET

FIXTURES = Path(__file__).resolve().parents[2].parent / "shared/stripe/fixtures3.json"
KINDS = {
    *("account", "account_link", "balance", "balance_transaction", "charge", "checkout.session"),
    *("customer", "dispute", "event", "payment_intent", "refund", "transfer"),
    "transfer_reversal",
}
LINKS = {"return_url": "http://localhost/back", "refresh_url": "http://localhost/again"}


@pytest.fixture
def api(stripe_sandbox):
    client = stripe.StripeClient(
        SECRET_KEY,
        base_addresses={"api": stripe_sandbox.base},
        http_client=stripe.RequestsClient(timeout=(2, 5)),
        max_network_retries=0,
    )
    return client.v1


def session_params(cents=500, **more):
    return {
        "mode": "payment",
        "allowed_payment_method_types": ["card", "paypal"],
        "line_items": [
            {
                "price_data": {
                    "currency": "eur",
                    "unit_amount": cents,
                    "product_data": {"name": "Flattr funds"},
                },
                "quantity": 1,
            }
        ],
        "success_url": "http://localhost/paid?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://localhost/cancelled",
        "payment_intent_data": {"setup_future_usage": "off_session"},
        **more,
    }


def paid_charge(api, number=browser.VISA, cents=500):
    session = api.checkout.sessions.create(session_params(cents))
    browser.pay_by_card(session.url, number)
    session = api.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    return api.charges.retrieve(session.payment_intent.latest_charge)


def able_account(api):
    account = api.accounts.create(
        {"type": "express", "country": "DE", "capabilities": {"transfers": {"requested": True}}}
    )
    link = api.account_links.create({"account": account.id, "type": "account_onboarding", **LINKS})
    browser.finish_onboarding(link.url)
    return account.id


def test_paying_the_checkout_page_leads_back_and_settles_with_a_fee(api):
    session = api.checkout.sessions.create(session_params())
    answer = browser.pay_by_card(session.url)
    assert answer.location == f"http://localhost/paid?session={session.id}"
    paid = api.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge.balance_transaction"]}
    )
    booked = paid.payment_intent.latest_charge.balance_transaction
    assert (paid.status, paid.payment_status) == ("complete", "paid")
    assert (booked.amount, booked.fee, booked.net) == (500, 33, 467)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("4000000000000002", "Your card was declined."),
        ("4000000000009995", "insufficient funds"),
        ("4111111111111111", "non test card"),
        ("4242", "incomplete"),
    ],
)
def test_a_declined_card_says_why_and_leaves_the_page_open(api, number, message):
    session = api.checkout.sessions.create(session_params())
    answer = browser.pay_by_card(session.url, number)
    assert answer.status in (400, 402)
    assert message in answer.text
    assert api.checkout.sessions.retrieve(session.id).status == "open"


def test_the_bank_asks_and_a_yes_pays(api):
    session = api.checkout.sessions.create(session_params())
    asked = browser.pay_by_card(session.url, "4000002500003155")
    assert "Your bank asks" in asked.text
    assert api.checkout.sessions.retrieve(session.id).payment_status == "unpaid"
    assert browser.pay_by_card(session.url, "4000002500003155", answer="yes").status == 303


def test_the_bank_asks_and_a_no_declines(api):
    session = api.checkout.sessions.create(session_params())
    assert browser.pay_by_card(session.url, "4000002500003155", answer="no").status == 402


def test_paypal_may_confirm_later(api, stripe_sandbox):
    session = api.checkout.sessions.create(session_params())
    browser.pay_by_paypal(session.url, "later")
    waiting = api.checkout.sessions.retrieve(session.id)
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    stripe_sandbox.control(f"payments/{session.id}", outcome="succeeded")
    assert api.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_saved_card_is_charged_while_the_payer_is_away(api):
    customer = api.customers.create({"email": "alice@example.org"})
    session = api.checkout.sessions.create(session_params(customer=customer.id))
    browser.pay_by_card(session.url, "4000002500003155", answer="yes")
    paid = api.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    intent = api.payment_intents.create(
        {
            "amount": 300,
            "currency": "eur",
            "customer": customer.id,
            "payment_method": paid.payment_intent.payment_method,
            "confirm": True,
            "off_session": True,
        }
    )
    assert intent.status == "succeeded"


def test_a_card_whose_bank_always_asks_fails_while_the_payer_is_away(api):
    with pytest.raises(stripe.CardError) as refusal:
        api.payment_intents.create(
            {
                "amount": 300,
                "currency": "eur",
                "payment_method": "pm_card_authenticationRequired",
                "confirm": True,
                "off_session": True,
            }
        )
    assert refusal.value.code == "authentication_required"
    assert refusal.value.error.payment_intent.status == "requires_payment_method"


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", None),
        ({"sucess_url": "http://x"}, "parameter_unknown", "sucess_url"),
        ({"mode": "paymnt"}, "parameter_invalid_string", "mode"),
        ({"expires_at": "soon"}, "parameter_invalid_integer", "expires_at"),
        (
            {"payment_intent_data": {"bogus": "1"}},
            "parameter_unknown",
            "payment_intent_data[bogus]",
        ),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(api, change, code, param):
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.checkout.sessions.create(session_params(**change))
    assert (refusal.value.http_status, refusal.value.code) == (400, code)
    assert param is None or refusal.value.param == param


def test_less_than_the_minimum_is_refused(api):
    api.checkout.sessions.create(session_params(50))
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.checkout.sessions.create(session_params(49))
    assert refusal.value.code == "amount_too_small"


def test_another_secret_key_is_refused(stripe_sandbox):
    client = stripe.StripeClient("sk_test_wrong", base_addresses={"api": stripe_sandbox.base})
    with pytest.raises(stripe.AuthenticationError):
        client.v1.balance.retrieve()


def test_the_same_key_answers_the_same_and_says_so(api):
    options = {"idempotency_key": "once"}
    first = api.customers.create({"email": "a@example.org"}, options=options)
    second = api.customers.create({"email": "a@example.org"}, options=options)
    assert first.id == second.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"


def test_the_same_key_with_other_parameters_is_refused(api):
    api.customers.create({"email": "a@example.org"}, options={"idempotency_key": "once"})
    with pytest.raises(stripe.IdempotencyError) as refusal:
        api.customers.create({"email": "b@example.org"}, options={"idempotency_key": "once"})
    assert refusal.value.http_status == 400


def test_a_key_is_forgotten_after_a_day(api, stripe_sandbox):
    options = {"idempotency_key": "once"}
    first = api.customers.create({"email": "a@example.org"}, options=options)
    stripe_sandbox.control("clock", advance_seconds=86_401)
    assert api.customers.create({"email": "a@example.org"}, options=options).id != first.id


def test_a_key_in_flight_is_refused_with_409(api, stripe_sandbox):
    options = {"idempotency_key": "once"}
    stripe_sandbox.fail_next("delay", "/v1/customers", seconds=1)
    first = threading.Thread(target=api.customers.create, args=({}, options))
    first.start()
    time.sleep(0.3)
    with pytest.raises(stripe.StripeError) as refusal:
        api.customers.create({}, options=options)
    first.join()
    assert refusal.value.http_status == 409


def test_a_500_is_replayed_for_its_key(api, stripe_sandbox):
    stripe_sandbox.fail_next("error_after", "/v1/customers")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            api.customers.create({}, options={"idempotency_key": "once"})


def test_a_dropped_answer_was_carried_out(api, stripe_sandbox):
    account = able_account(api)
    stripe_sandbox.control("deposit", amount=1_000)
    stripe_sandbox.fail_next("drop_after", "/v1/transfers")
    params = {"amount": 100, "currency": "eur", "destination": account, "transfer_group": "wd"}
    with pytest.raises(stripe.APIConnectionError):
        api.transfers.create(params)
    assert [row.amount for row in api.transfers.list({"transfer_group": "wd"}).data] == [100]


def test_a_dropped_request_was_not_carried_out(api, stripe_sandbox):
    account = able_account(api)
    stripe_sandbox.control("deposit", amount=1_000)
    stripe_sandbox.fail_next("drop_before", "/v1/transfers")
    params = {"amount": 100, "currency": "eur", "destination": account, "transfer_group": "wd"}
    with pytest.raises(stripe.APIConnectionError):
        api.transfers.create(params)
    assert api.transfers.list({"transfer_group": "wd"}).data == []


def test_a_transfer_needs_an_available_balance(api, stripe_sandbox):
    account = able_account(api)
    stripe_sandbox.control("deposit", amount=100)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.transfers.create({"amount": 101, "currency": "eur", "destination": account})
    assert refusal.value.code == "balance_insufficient"
    api.transfers.create({"amount": 100, "currency": "eur", "destination": account})
    assert api.balance.retrieve().available[0].amount == 0


def test_pending_money_is_not_available_yet(api, stripe_sandbox):
    stripe_sandbox.control("settings", pending_seconds=3_600)
    paid_charge(api)
    assert api.balance.retrieve().available[0].amount == 0
    stripe_sandbox.control("clock", advance_seconds=3_600)
    assert api.balance.retrieve().available[0].amount == 467


def test_a_transfer_needs_an_onboarded_account(api, stripe_sandbox):
    stripe_sandbox.control("deposit", amount=100)
    account = api.accounts.create({"type": "express", "country": "DE"})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.transfers.create({"amount": 100, "currency": "eur", "destination": account.id})
    assert refusal.value.code == "insufficient_capabilities_for_transfer"


def test_an_account_link_works_once(api):
    account = api.accounts.create({"type": "express"})
    link = api.account_links.create({"account": account.id, "type": "account_onboarding", **LINKS})
    assert browser.finish_onboarding(link.url, "unfinished").location == LINKS["return_url"]
    assert browser.request("GET", link.url).location == LINKS["refresh_url"]
    assert not api.accounts.retrieve(account.id).details_submitted


def test_onboarding_tells_the_connect_endpoint_whose_account_changed(api, stripe_sandbox):
    account = able_account(api)
    (webhook,) = stripe_sandbox.take()
    event = json.loads(webhook["payload"])
    assert (webhook["endpoint"], event["type"]) == ("connect", "account.updated")
    assert event["account"] == account
    assert event["data"]["object"]["payouts_enabled"]


def test_a_reversal_takes_back_at_most_what_is_left(api, stripe_sandbox):
    account = able_account(api)
    stripe_sandbox.control("deposit", amount=100)
    sent = api.transfers.create({"amount": 100, "currency": "eur", "destination": account})
    api.transfers.reversals.create(sent.id, {"amount": 60})
    with pytest.raises(stripe.InvalidRequestError):
        api.transfers.reversals.create(sent.id, {"amount": 41})
    api.transfers.reversals.create(sent.id, {"amount": 40})
    assert api.transfers.retrieve(sent.id).reversed


def test_a_reversal_is_refused_once_the_bank_has_the_money(api, stripe_sandbox):
    account = able_account(api)
    stripe_sandbox.control("deposit", amount=100)
    sent = api.transfers.create({"amount": 100, "currency": "eur", "destination": account})
    stripe_sandbox.control(f"accounts/{account}/payout")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.transfers.reversals.create(sent.id, {"amount": 1})
    assert refusal.value.code == "balance_insufficient"


def test_a_charge_is_refunded_at_most_once(api):
    charge = paid_charge(api)
    api.refunds.create({"charge": charge.id, "amount": 200})
    api.refunds.create({"charge": charge.id})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        api.refunds.create({"charge": charge.id})
    assert refusal.value.code == "charge_already_refunded"
    assert api.charges.retrieve(charge.id).amount_refunded == 500


def test_a_refund_may_fail_after_it_was_made(api, stripe_sandbox):
    charge = paid_charge(api, "4000000000005126")
    made = api.refunds.create({"charge": charge.id})
    assert api.refunds.retrieve(made.id).status == "failed"
    assert "refund.failed" in [each["type"] for each in stripe_sandbox.take()]
    assert api.balance.retrieve().available[0].amount == 467


@pytest.mark.parametrize(("status", "cents"), [("won", 467), ("lost", -2_033)])
def test_a_dispute_takes_the_money_until_it_is_won(api, stripe_sandbox, status, cents):
    charge = paid_charge(api)
    made = stripe_sandbox.control("disputes", charge=charge.id)
    assert api.balance.retrieve().available[0].amount == -2_033
    stripe_sandbox.control(f"disputes/{made['id']}/close", status=status)
    assert api.disputes.retrieve(made["id"]).status == status
    assert api.balance.retrieve().available[0].amount == cents


def test_a_session_expires_by_the_clock(api, stripe_sandbox):
    session = api.checkout.sessions.create(session_params())
    stripe_sandbox.control("clock", advance_seconds=86_401)
    assert api.checkout.sessions.retrieve(session.id).status == "expired"
    assert [each["type"] for each in stripe_sandbox.take()] == ["checkout.session.expired"]


def test_an_open_session_is_expired_by_hand_and_a_paid_one_is_not(api):
    session = api.checkout.sessions.create(session_params())
    assert api.checkout.sessions.expire(session.id).status == "expired"
    paid = api.checkout.sessions.create(session_params())
    browser.pay_by_card(paid.url)
    with pytest.raises(stripe.InvalidRequestError):
        api.checkout.sessions.expire(paid.id)


def test_lists_go_on_where_the_page_before_ended(api):
    made = [api.customers.create({}).id for _ in range(3)]
    for _ in range(3):
        paid_charge(api)
    rows = list(api.balance_transactions.list({"limit": 2}).auto_paging_iter())
    assert len({row.id for row in rows}) == 3
    assert len(made) == 3


def test_events_are_listed_by_type_and_by_whether_they_arrived(api, stripe_sandbox):
    paid_charge(api)
    undelivered = api.events.list({"delivery_success": False, "type": "charge.*"}).data
    assert [event.type for event in undelivered] == ["charge.succeeded"]
    stripe_sandbox.take()
    assert api.events.list({"delivery_success": False}).data == []


def test_a_webhook_is_signed_so_that_the_sdk_accepts_it(api, stripe_sandbox):
    paid_charge(api)
    for webhook in stripe_sandbox.take():
        assert stripe.WebhookSignature.verify_header(
            webhook["payload"], webhook["signature"], WEBHOOK_SECRET, 300
        )


class Listener(BaseHTTPRequestHandler):
    def do_POST(self):
        payload = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((payload, self.headers["Stripe-Signature"]))
        self.send_response(500 if len(self.server.received) == 1 else 200)
        self.end_headers()

    def log_message(self, format, *args):
        pass


def test_a_webhook_is_tried_again_until_it_is_answered():
    listener = HTTPServer((HOST, 0), Listener)
    listener.received = []
    threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://{HOST}:{listener.server_port}/hook/"
    world = World(Store(None), SECRET_KEY, {"account": Endpoint(url, "whsec_x")})
    with world.store.transaction():
        world.emit("customer.created", {"id": "cus_1", "object": "customer"})
    courier = Courier(world)
    courier.start()
    deadline = time.monotonic() + 10
    while len(listener.received) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    courier.stop()
    listener.shutdown()
    listener.server_close()
    first, second = [json.loads(payload)["id"] for payload, _ in listener.received]
    assert first == second
    assert world.store.sql("SELECT state FROM delivery") == [("delivered",)]


@pytest.mark.parametrize(
    ("mode", "copies"), [("doubled", 2), ("dropped", 0), ("held", 1), ("delayed", 1)]
)
def test_deliveries_can_be_doubled_dropped_and_delayed(api, stripe_sandbox, mode, copies):
    stripe_sandbox.control("deliveries", mode=mode, seconds=60)
    session = api.checkout.sessions.create(session_params())
    api.checkout.sessions.expire(session.id)
    assert len(stripe_sandbox.take()) == copies


def test_everything_is_still_there_after_a_restart(tmp_path):
    file = tmp_path / "stripe" / "stripe.sqlite3"
    store = Store(file)
    store.put({"id": "cus_1", "object": "customer"})
    store.close()
    again = Store(file)
    assert again.get("cus_1") == {"id": "cus_1", "object": "customer"}
    again.close()


def test_what_fails_half_way_leaves_nothing(tmp_path):
    store = Store(tmp_path / "stripe.sqlite3")
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.put({"id": "cus_1", "object": "customer"})
        raise ZeroDivisionError
    assert store.get("cus_1") is None
    store.close()


def test_it_listens_on_the_loopback_interface_only():
    server = Server(World(Store(None), SECRET_KEY, {}), 0)
    assert server.server_address[0] == "127.0.0.1"
    server.server_close()


def test_another_host_name_is_refused(stripe_sandbox):
    connection = http.client.HTTPConnection(stripe_sandbox.base.removeprefix("http://"))
    connection.request("GET", "/", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 403
    connection.close()


def test_the_index_page_shows_cards_and_payments(api, stripe_sandbox):
    paid_charge(api)
    page = browser.request("GET", f"{stripe_sandbox.base}/").text
    assert "4242 4242 4242 4242" in page
    assert "EUR 5.00" in page


def example_objects(api, stripe_sandbox):
    """Yield one reply of each kind as the wire has it."""
    customer = api.customers.create({"email": "a@example.org"})
    charge = paid_charge(api)
    account = able_account(api)
    transfer = api.transfers.create({"amount": 100, "currency": "eur", "destination": account})
    dispute = stripe_sandbox.control("disputes", charge=paid_charge(api).id)
    yield from (
        customer,
        charge,
        transfer,
        api.transfers.reversals.create(transfer.id, {"amount": 1}),
        api.checkout.sessions.create(session_params()),
        api.payment_intents.retrieve(charge.payment_intent),
        api.balance_transactions.retrieve(charge.balance_transaction),
        api.refunds.create({"charge": charge.id}),
        api.disputes.retrieve(dispute["id"]),
        api.accounts.retrieve(account),
        api.account_links.create({"account": account, "type": "account_onboarding", **LINKS}),
        api.balance.retrieve(),
        api.events.list({"limit": 1}).data[0],
    )


def test_every_reply_has_only_the_fields_that_the_sdk_knows(api, stripe_sandbox):
    seen = set()
    for reply in example_objects(api, stripe_sandbox):
        body = reply.to_dict()
        seen.add(body["object"])
        known = {
            name for base in type(reply).__mro__ for name in vars(base).get("__annotations__", {})
        }
        assert set(body) - known == set(), body["object"]
    assert seen == KINDS


@pytest.mark.skipif(not FIXTURES.exists(), reason="Stripe's fixtures are not beside this clone")
def test_every_reply_has_the_fields_of_stripes_own_fixtures(api, stripe_sandbox):
    fixtures = json.loads(FIXTURES.read_text())["resources"]
    for reply in example_objects(api, stripe_sandbox):
        body = reply.to_dict()
        assert set(fixtures[body["object"]]) - set(body) == set(), body["object"]
