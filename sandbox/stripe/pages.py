"""The hosted pages: checkout, the bank's question, onboarding, and the index.

They work without JavaScript, and say on every page that no money moves.
"""

import datetime
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sandbox.stripe import connect, payments
from sandbox.stripe.errors import Json, Refusal
from sandbox.stripe.world import World

STYLE = Path(__file__).with_name("style.css")


@dataclass
class Page:
    status: int = 200
    text: str = ""
    location: str = ""
    content_type: str = "text/html; charset=utf-8"


def answer_page(world: World, method: str, path: str, query: Json, form: Json) -> Page:
    """Answer one address of the hosted pages; what it changes is one transaction."""
    names = path.strip("/").split("/")
    with world.store.transaction():
        if path == "/":
            return Page(text=index(world))
        if path == "/style.css":
            return Page(text=STYLE.read_text(), content_type="text/css; charset=utf-8")
        if names[:2] == ["c", "pay"] and len(names) == 3:
            session = world.must_get("checkout.session", names[2])
            if method == "POST":
                return pay(world, session, form)
            return Page(text=checkout(session, query.get("card", ""), ""))
        if names[:2] == ["setup", "e"] and len(names) == 4:
            return enter_onboarding(world, names[3])
        if names[:2] == ["setup", "s"] and len(names) == 4:
            return onboard(world, names[3], form if method == "POST" else None)
    return Page(404, message_page("Not found", "There is no such page in the Stripe sandbox."))


def layout(title: str, content: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} - Stripe sandbox</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
</head>
<body>
<p class="notice">Sandbox of a payment page. No real money moves here.</p>
<main>
{content}
</main>
</body>
</html>
"""


def message_page(title: str, message: str) -> str:
    return layout(title, f"<h1>{escape(title)}</h1><p>{escape(message)}</p>")


def money(cents: int, currency: str) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{currency.upper()} {abs(cents) // 100}.{abs(cents) % 100:02}"


def spaced(number: str) -> str:
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def checkout(session: Json, number: str, error: str) -> str:
    """The payment form; the test card stands in it, so that one press pays."""
    if session["status"] != "open":
        return message_page("This page is closed", f"The payment is {session['status']}.")
    amount = money(session["amount_total"], session["currency"])
    number = number if number.isascii() and number.isdigit() else "4242424242424242"
    problem = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    cards = "".join(
        f'<tr><td><a href="?card={card}"><code>{spaced(card)}</code></a></td>'
        f"<td>{escape(what)}</td></tr>"
        for card, what in payments.CARDS.items()
    )
    paypal = ""
    if "paypal" in session["payment_method_types"]:
        paypal = """
<form method="post" class="paypal">
<input type="hidden" name="method" value="paypal">
<button class="second" name="step" value="ask">Pay with PayPal</button>
</form>
<p class="or"><span>or pay by card</span></p>"""
    cancel = session["cancel_url"] or ""
    back = (
        f'<a class="back" href="{escape(cancel)}">&larr; Back without paying</a>' if cancel else ""
    )
    return layout(
        f"Pay {amount}",
        f"""
{back}
<h1><small>{escape(session["_name"])}</small> {amount}</h1>
{problem}{paypal}
<form method="post" class="card">
<input type="hidden" name="method" value="card">
<label for="card-number">Card number</label>
<input id="card-number" name="number" inputmode="numeric" autocomplete="off" required
 value="{spaced(number)}">
<div class="pair">
<p><label for="card-expiry">Expiry (MM / YY)</label>
<input id="card-expiry" name="expiry" autocomplete="off" required value="12 / 34"></p>
<p><label for="card-cvc">CVC</label>
<input id="card-cvc" name="cvc" inputmode="numeric" autocomplete="off" required value="123"></p>
</div>
<button id="pay">Pay {amount}</button>
</form>
<details><summary>Other test cards</summary><table>{cards}</table></details>
""",
    )


def ask_bank(session: Json, fields: Json) -> str:
    hidden = hidden_fields(fields)
    return layout(
        "Your bank asks",
        f"""
<h1><small>Your bank asks</small> {money(session["amount_total"], session["currency"])}</h1>
<p>Is it you who pays <strong>{escape(session["_name"])}</strong>? Your bank wants to be sure.</p>
<form method="post">{hidden}
<button name="answer" value="yes">Yes, it is me</button>
<button class="second" name="answer" value="no">No, stop this payment</button>
</form>""",
    )


def ask_paypal(session: Json) -> str:
    amount = money(session["amount_total"], session["currency"])
    return layout(
        "PayPal",
        f"""
<h1><small>PayPal</small> {amount}</h1>
<p>Signed in as <strong>patron@paypal.example</strong>, paying
<strong>{escape(session["_name"])}</strong>.</p>
<form method="post"><input type="hidden" name="method" value="paypal">
<button name="step" value="approve">Approve {amount}</button>
<button class="second" name="step" value="later">Approve, confirmed later</button>
<button class="second" name="step" value="cancel">Cancel</button>
</form>""",
    )


def hidden_fields(fields: Json) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(str(value))}">'
        for name, value in fields.items()
        if name != "answer"
    )


def pay(world: World, session: Json, form: Json) -> Page:
    """Take the form's card or PayPal answer; a decline shows the form again with the reason."""
    if session["status"] != "open":
        return Page(409, checkout(session, "", ""))
    how: Json
    if form.get("method") == "paypal":
        step = form.get("step")
        if step == "ask":
            return Page(text=ask_paypal(session))
        if step == "cancel":
            return Page(text=checkout(session, "", "You cancelled at PayPal. Nothing was paid."))
        how = {"type": "paypal", "email": "patron@paypal.example"}
        answer = "later" if step == "later" else "yes"
    else:
        how, answer = {"type": "card", "email": "patron@mail.example"}, form.get("answer", "")
        if problem := read_card(world, form, how):
            return Page(400, checkout(session, how.get("number", ""), problem))
    try:
        outcome = payments.pay_session(world, session, how, answer)
    except Refusal as refusal:
        return Page(402, checkout(session, how.get("number", ""), refusal.message))
    if outcome == "asks":
        return Page(text=ask_bank(session, form))
    target = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
    return Page(303, location=target)


def read_card(world: World, form: Json, how: Json) -> str:
    """Put the card into `how`, and return what is wrong with it."""
    number = "".join(form.get("number", "").split())
    if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
        return "Your card number is incomplete."
    how["number"] = number
    month, _, year = form.get("expiry", "").replace(" ", "").partition("/")
    if not (month.isdigit() and year.isdigit() and 1 <= int(month) <= 12):
        return "Your card's expiration date is incomplete."
    how["exp_month"], how["exp_year"] = int(month), 2_000 + int(year) % 100
    today = datetime.datetime.fromtimestamp(world.now(), datetime.UTC)
    if (how["exp_year"], how["exp_month"]) < (today.year, today.month):
        return "Your card's expiration date is in the past."
    cvc = form.get("cvc", "")
    if not (cvc.isdigit() and len(cvc) in (3, 4)):
        return "Your card's security code is incomplete."
    return ""


def enter_onboarding(world: World, token: str) -> Page:
    """Use up an account link; a used or old one leads to its refresh address."""
    link = world.store.get(token, "_link")
    if link is None:
        return Page(404, message_page("Not found", "There is no such account link."))
    if link["state"] != "new" or link["expires_at"] < world.now():
        return Page(303, location=link["refresh_url"])
    world.store.put(link | {"state": "used"})
    return Page(303, location=f"/setup/s/{link['account']}/{token}")


def onboard(world: World, token: str, form: Json | None) -> Page:
    link = world.store.get(token, "_link")
    if link is None or link["state"] != "used":
        return Page(404, message_page("Not found", "This form is closed. Start again."))
    body = world.must_get("account", link["account"])
    if form is None:
        return Page(text=onboarding(body))
    world.store.put(link | {"state": "closed"})
    state = form.get("state", "unfinished")
    if state != "unfinished":
        connect.set_account_state(world, body, state)
    return Page(303, location=link["return_url"])


def onboarding(body: Json) -> str:
    who = escape(body["email"] or body["business_profile"]["name"] or body["id"])
    return layout(
        "Get paid",
        f"""
<h1><small>Get paid</small> {who}</h1>
<p>Stripe asks who you are and where your money goes. This sandbox fills in a test person.</p>
<dl>
<dt>Name</dt><dd>Jenny Rosen</dd>
<dt>Bank account</dt><dd><code>DE89 3704 0044 0532 0130 00</code></dd>
<dt>Document</dt><dd>Passport, verified</dd>
</dl>
<form method="post">
<button id="approve" name="state" value="approved">Agree and submit</button>
<button class="second" name="state" value="pending">Submit, documents are checked later</button>
<button class="second" name="state" value="restricted">Submit without a document</button>
<button class="second" name="state" value="unfinished">Leave unfinished</button>
</form>""",
    )


def index(world: World) -> str:
    """What the sandbox knows, newest first, with buttons for what only Stripe could do."""
    available, pending = world.store.sum_net("eur", world.now())
    sections = [
        f"""<h1><small>Stripe sandbox</small> {money(available, "eur")}</h1>
<p>available on the platform's balance, {money(pending, "eur")} pending. Every number is invented,
and forgotten when <code>.data/</code> is deleted.</p>""",
        "<h2>Test cards</h2>",
        table(
            [f"<code>{spaced(card)}</code>", escape(what)] for card, what in payments.CARDS.items()
        ),
        "<h2>Checkout</h2>",
        table(session_row(body) for body in world.store.all("checkout.session")[:15]),
        "<h2>Charges</h2>",
        table(charge_row(body) for body in world.store.all("charge")[:15]),
        "<h2>Disputes</h2>",
        table(dispute_row(body) for body in world.store.all("dispute")[:15]),
        "<h2>Refunds</h2>",
        table(refund_row(body) for body in world.store.all("refund")[:15]),
        "<h2>Connected accounts</h2>",
        table(account_row(world, body) for body in world.store.all("account")[:15]),
        "<h2>Transfers</h2>",
        table(transfer_row(body) for body in world.store.all("transfer")[:15]),
        "<h2>Webhooks</h2>",
        table(delivery_rows(world)),
    ]
    return layout("Overview", "\n".join(sections))


def table(rows: object) -> str:
    listed = [
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for row in rows  # type: ignore[attr-defined]
    ]
    return (
        f'<div class="scroll"><table>{"".join(listed)}</table></div>' if listed else "<p>None.</p>"
    )


def button(action: str, label: str, **fields: str) -> str:
    return (
        f'<form class="inline" method="post" action="/_sandbox/{escape(action)}">'
        f'{hidden_fields(fields)}<button class="small">{escape(label)}</button></form>'
    )


def session_row(body: Json) -> list[str]:
    state = escape(f"{body['status']}, {body['payment_status']}")
    if body["status"] == "open":
        state = f'<a href="{escape(body["url"])}">{state}</a>'
    elif body["payment_status"] == "unpaid" and body["status"] == "complete":
        state += button(f"payments/{body['id']}", "PayPal confirms", outcome="succeeded")
        state += button(f"payments/{body['id']}", "PayPal fails", outcome="failed")
    return [money(body["amount_total"], body["currency"]), escape(body["_name"]), state]


def charge_row(body: Json) -> list[str]:
    state = escape(body["status"])
    if body["amount_refunded"]:
        state += f", {money(body['amount_refunded'], body['currency'])} returned"
    if body["status"] == "succeeded" and not body["disputed"]:
        state += button("disputes", "Dispute", charge=body["id"])
    kind = escape(body["payment_method_details"]["type"])
    return [money(body["amount"], body["currency"]), kind, state]


def dispute_row(body: Json) -> list[str]:
    state = escape(body["status"])
    if body["status"] not in ("won", "lost"):
        state += button(f"disputes/{body['id']}/close", "Win it", status="won")
        state += button(f"disputes/{body['id']}/close", "Lose it", status="lost")
    return [money(body["amount"], body["currency"]), escape(body["reason"]), state]


def refund_row(body: Json) -> list[str]:
    state = escape(body["status"])
    if body["status"] != "failed":
        state += button(f"refunds/{body['id']}", "Fail it", outcome="failed")
    if body["status"] == "pending":
        state += button(f"refunds/{body['id']}", "Finish it", outcome="succeeded")
    return [money(body["amount"], body["currency"]), state]


def account_row(world: World, body: Json) -> list[str]:
    state = "able to be paid" if body["payouts_enabled"] else "not able yet"
    buttons = "".join(
        button(f"accounts/{body['id']}", label, state=name)
        for name, label in (("approved", "Approve"), ("restricted", "Restrict"))
    )
    held = connect.account_balance(world, body["id"], "eur")
    if held > 0:
        buttons += button(f"accounts/{body['id']}/payout", "Pay out to the bank")
    return [escape(body["email"] or body["id"]), money(held, "eur"), state + buttons]


def transfer_row(body: Json) -> list[str]:
    group = escape(body["transfer_group"])
    state = "reversed" if body["reversed"] else "sent"
    return [money(body["amount"], body["currency"]), f"<code>{group}</code>", state]


def delivery_rows(world: World) -> list[list[str]]:
    rows = world.store.sql(
        "SELECT delivery.event, delivery.state, attempts, answer,"
        " json_extract(body, '$.type') FROM delivery JOIN object ON object.id = delivery.event"
        " ORDER BY delivery.id DESC LIMIT 30"
    )
    return [
        [
            f"<code>{escape(event_type)}</code>",
            escape(f"{state}, tried {attempts}, {answer or 'not sent'}"),
            button(f"events/{event}/send", "Send again"),
        ]
        for event, state, attempts, answer, event_type in rows
    ]
