"""A person at the hosted pages, for demo data and tests: plain HTTP, as a browser sends it."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from sandbox.stripe.errors import Json

VISA = "4242424242424242"


@dataclass
class Answer:
    status: int
    location: str
    text: str


def request(method: str, url: str, body: str = "", content_type: str = "") -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": content_type} if content_type else {}
        connection.request(method, path, body.encode(), headers)
        response = connection.getresponse()
        text = response.read().decode()
        return Answer(response.status, response.headers.get("Location", ""), text)
    finally:
        connection.close()


def submit(url: str, **fields: str) -> Answer:
    return request("POST", url, urlencode(fields), "application/x-www-form-urlencoded")


def pay_by_card(url: str, number: str = VISA, **fields: str) -> Answer:
    """Fill in the checkout page; a paid one answers 303 with the way back."""
    form = {"method": "card", "number": number, "expiry": "12 / 34", "cvc": "123", **fields}
    return submit(url, **form)


def pay_by_paypal(url: str, step: str = "approve") -> Answer:
    return submit(url, method="paypal", step=step)


def finish_onboarding(link: str, state: str = "approved") -> Answer:
    """Open an account link and submit its form; answers 303 with the way back."""
    entered = request("GET", link)
    parts = urlsplit(link)
    return submit(f"{parts.scheme}://{parts.netloc}{entered.location}", state=state)


def control(base: str, path: str, /, **fields: object) -> Json:
    """Use one of the controls below /_sandbox/; raises when it refuses."""
    answer = request("POST", f"{base}/_sandbox/{path}", json.dumps(fields), "application/json")
    body: Json = json.loads(answer.text)
    if answer.status != 200:
        raise ValueError(body["error"]["message"])
    return body
