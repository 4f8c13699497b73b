import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory

from accounts.rate_limits import rate_limited, wait_text


@rate_limited("test", "2/m", key="user_or_ip")
def view(request):
    return HttpResponse("done")


def ask(user=None, ip="198.51.100.1", method="post"):
    request = getattr(RequestFactory(), method)("/", REMOTE_ADDR=ip)
    request.user = user or AnonymousUser()
    return view(request)


def test_the_third_is_too_many():
    answers = [ask() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert "Try again in a minute" in answers[-1].content.decode()


def test_reading_is_not_counted():
    assert [ask(method="get").status_code for _ in range(3)] == [200] * 3


def test_others_are_not_counted_together(alice, bob):
    assert [ask(alice).status_code for _ in range(3)] == [200, 200, 429]
    assert ask(bob).status_code == 200
    assert ask(ip="198.51.100.2").status_code == 200


def test_a_forwarded_address_is_not_believed_without_a_proxy():
    for _ in range(2):
        ask()
    request = RequestFactory().post("/", REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR="1.2.3.4")
    request.user = AnonymousUser()
    assert view(request).status_code == 429


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "a minute"),
        (60, "a minute"),
        (61, "2 minutes"),
        (3_600, "60 minutes"),
        (3_601, "2 hours"),
    ],
)
def test_waits_are_rounded_up(seconds, text):
    assert wait_text(seconds) == text
