"""Whose a page is: the button on it is the proof, and nothing else is."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from buttons import ownership, tasks
from buttons.evidence import PEOPLE_MAX, read_evidence
from buttons.fetch import FetchFailed, FetchRefused, Page
from buttons.flattrs import record_flattr
from buttons.models import Claim, Flattr
from buttons.ownership import (
    BACKOFF,
    FAILURES_BEFORE_LAPSE,
    check_claim,
    check_thing,
    claim_thing,
    decide_claim,
    due_things,
    recheck_claims_of,
)
from buttons.submissions import Submission
from tests.buttons.people import PAGE, flattr, give_means, make_thing

OURS = "http://localhost:8000"
LINK = f"{OURS}/submit/auto?user_id=bob&amp;url=https%3A%2F%2Fblog.example%2Ftea"
SCRIPT = f'<script src="{OURS}/button.js"></script>'


@pytest.fixture(autouse=True)
def _base_url(settings):
    settings.BASE_URL = OURS


def names(text: str, url: str = PAGE, content_type: str = "text/html") -> set[str]:
    evidence = read_evidence(Page(url, content_type, text), PAGE)
    return set(evidence.how_by_username) | set(evidence.how_by_flattr_id)


@pytest.mark.parametrize(
    "text",
    [
        f'<a href="{LINK}">Flattr</a>',
        f"<A HREF='{LINK}&amp;title=Tea'><img src=x></A>",
        f'<a href="{OURS}/submit/auto/?uid=bob&url=https://blog.example/tea?utm_source=x">',
        f'<a href="{OURS}/submit/auto?user_id=bob&url=https://blog.example/tea%23leaves">',
        f'<link rel="payment" type="text/html" href="{LINK}">',
        f'{SCRIPT}<flattr-button user="bob"></flattr-button>',
        f'{SCRIPT}<flattr-button user="bob" url="/tea"></flattr-button>',
        f'{SCRIPT}<a class="FlattrButton" rev="flattr;uid:bob;button:compact;" href="{PAGE}">',
        f'{SCRIPT}<a class="x FlattrButton" data-flattr-uid="bob" href="/tea">',
        f'<script src="{OURS}/button.js?uid=bob"></script><a class="FlattrButton" href="/tea">',
    ],
)
def test_a_button_of_this_instance_is_found(text):
    assert names(text) == {"bob"}


def test_a_flattr_id_is_found():
    assert names('<meta name="flattr:id" content="62lgqk">') == {"62lgqk"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        f'<a href="{LINK}" rel="nofollow ugc">in a comment</a>',
        f'<a href="{LINK}" rel="sponsored">',
        f'<!-- <a href="{LINK}"> -->',
        f"<script>\"<a href='{LINK}'>\"</script>",
        f'<textarea><a href="{LINK}"></textarea>',
        f'<template><a href="{LINK}"></template>',
        f'<title><a href="{LINK}"></title>',
        f"&lt;a href=&quot;{LINK}&quot;&gt;",
        f'<p title="<a href={LINK}>">',
        f'<link rel="prefetch" href="{LINK}">',
        f'<a href="{OURS}/submit/auto?user_id=bob&url=https://blog.example/coffee">',
        f'<a href="{OURS}/submit/auto?user_id=bob">',
        f'<a href="{OURS}/@bob">',
        LINK.replace(OURS, "https://other.example").join(['<a href="', '">']),
        LINK.replace(OURS, "http://localhost:8000.evil.example").join(['<a href="', '">']),
        LINK.replace(OURS, "http://localhost:8000@evil.example").join(['<a href="', '">']),
        '<flattr-button user="bob"></flattr-button>',
        '<script src="https://other.example/button.js"></script><flattr-button user="bob">',
        f'{SCRIPT}<flattr-button user="bob" url="https://blog.example/coffee"></flattr-button>',
    ],
)
def test_what_is_no_button_of_ours_for_this_page_proves_nothing(text):
    assert names(text) == set()


@pytest.mark.parametrize("name", ["%00", "bob%00", "%C2%85", "b" * 40])
def test_what_is_no_name_names_nobody(name):
    """PostgreSQL takes no NUL: such a page would fail each time that it is looked at."""
    url = LINK.replace("bob", name)
    assert names(f'<a href="{url}"><a href="{url.replace("user_id", "fid")}">') == set()
    assert names('<meta name="flattr:id" content="62l&#0;\x00">') == set()


def test_of_a_page_that_names_a_crowd_the_first_are_read():
    crowd = "".join(f'<a href="{LINK.replace("bob", f"u{number}")}">' for number in range(99))
    assert names(crowd) == {f"u{number}" for number in range(PEOPLE_MAX)}


def test_two_peoples_buttons_are_both_found():
    assert names(f'<a href="{LINK}"></a><a href="{LINK.replace("bob", "carol")}"></a>') == {
        "bob",
        "carol",
    }


def test_a_page_that_redirects_to_another_site_proves_nothing():
    assert names(f'<a href="{LINK}">', url="https://evil.example/tea") == set()
    assert names(f'<a href="{LINK}">', url="https://www.blog.example/tea") == {"bob"}


def test_the_address_a_page_calls_its_own_is_honoured_within_its_site():
    button = LINK.replace("%2Ftea", "%2F2026%2Ftea")
    canonical = '<link rel="canonical" href="{}">'
    assert names(canonical.format("/2026/tea") + f'<a href="{button}">') == {"bob"}
    elsewhere = LINK.replace("blog.example", "evil.example")
    there = canonical.format("https://evil.example/tea")
    assert names(f'{there}<a href="{elsewhere}">') == set()


def test_a_base_address_moves_relative_ones():
    there = f'<base href="https://blog.example/x/">{SCRIPT}<flattr-button user="bob" url="tea">'
    assert names(there) == set()
    assert names(there, url="https://blog.example/x/tea") == {"bob"}


def test_a_plain_text_is_searched_for_the_address():
    text = "Flattr me: http://localhost:8000/submit/auto?user_id=bob&url=https://blog.example/tea"
    assert names(text, content_type="text/plain") == {"bob"}


def test_a_page_is_read_however_broken_it_is():
    assert names("<a href='x" * 50 + "<!DOCTYPE <![CDATA[ <%" + "\x00" * 9) == set()


def test_a_page_tells_its_own_title():
    page = Page(PAGE, "text/html", "<title> Green &amp;\n tea </title><svg><title>x</title></svg>")
    assert read_evidence(page, PAGE).title == "Green & tea"


@pytest.fixture
def pages(monkeypatch):
    """What pages show, instead of what the world's servers answer."""
    shown: dict[str, object] = {}

    def fetch(url: str) -> Page:
        answer = shown[url]
        if isinstance(answer, Exception):
            raise answer
        return Page(url, "text/html", str(answer))

    monkeypatch.setattr(ownership, "fetch_page", fetch)
    return shown


def button_of(name: str) -> str:
    return f'<title>Tea</title><a href="{LINK.replace("bob", name)}">Flattr</a>'


def claim_of(user, thing=None) -> Claim:
    return claim_thing(thing or make_thing(), user)


@pytest.mark.django_db
def test_a_button_on_the_page_makes_its_user_the_owner(bob, pages):
    pages[PAGE] = button_of("BOB")
    claim = check_claim(claim_of(bob))
    assert (claim.state, claim.how) == ("proven", "The button is on the page.")
    assert claim.thing.owner == bob
    assert claim.next_check_at and claim.next_check_at > timezone.now() + timedelta(days=29)


@pytest.mark.django_db
def test_a_flattr_id_on_the_page_makes_its_user_the_owner(bob, pages):
    pages[PAGE] = f'<meta name="flattr:id" content="{bob.flattr_id.upper()}">'
    assert check_claim(claim_of(bob)).state == "proven"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "button",
    [
        f'<a href="{LINK.replace("bob", "12306")}">',
        f'{SCRIPT}<a class="FlattrButton" rev="flattr;uid:12306;" href="{PAGE}">',
        f'<script src="{OURS}/button.js?uid=12306"></script><a class="FlattrButton" href="/tea">',
    ],
)
def test_the_number_of_an_old_button_makes_its_user_the_owner(bob, pages, button):
    type(bob).objects.filter(pk=bob.pk).update(old_flattr_number=12306)
    pages[PAGE] = button
    claim = check_claim(claim_of(bob))
    assert (claim.state, claim.how) == ("proven", "The button is on the page.")


@pytest.mark.django_db
def test_the_number_of_an_old_button_is_never_a_key_of_this_database(bob, pages):
    """Whoever signed up as the n-th person here has nothing to do with number n at the first."""
    pages[PAGE] = f'<a href="{LINK.replace("bob", str(bob.pk))}">'
    assert check_claim(claim_of(bob)).state == "unproven"


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["012306", "12306000000", "0", "-12306", "\uff11\uff12"])
def test_what_is_no_number_of_an_old_button_names_nobody(bob, pages, number):
    type(bob).objects.filter(pk=bob.pk).update(old_flattr_number=12306)
    pages[PAGE] = f'<a href="{LINK.replace("bob", number)}">'
    assert check_claim(claim_of(bob)).state == "unproven"


@pytest.mark.django_db
def test_a_proof_is_looked_at_again_after_a_month_and_not_before(bob, pages):
    pages[PAGE] = button_of("bob")
    claim = check_claim(claim_of(bob))
    Claim.objects.update(next_check_at=F("next_check_at") - timedelta(days=29, hours=23))
    assert tasks.check_claims() == 0
    Claim.objects.update(next_check_at=F("next_check_at") - timedelta(hours=2))
    assert tasks.check_claims() == 1
    claim.refresh_from_db()
    assert claim.state == "proven"
    assert claim.next_check_at and claim.next_check_at > timezone.now() + timedelta(days=29)


@pytest.mark.django_db
def test_without_a_button_the_claim_stays_unproven_and_says_why(bob, pages):
    pages[PAGE] = "<p>tea"
    claim = check_claim(claim_of(bob))
    assert (claim.state, claim.how) == ("unproven", "Your button is not on the page yet.")
    assert claim.thing.owner is None


@pytest.mark.django_db
@pytest.mark.parametrize("error", [FetchFailed("Status 500."), FetchRefused("Private.")])
def test_a_page_that_cannot_be_read_says_why(bob, pages, error):
    pages[PAGE] = error
    claim = check_claim(claim_of(bob))
    assert (claim.state, claim.how, claim.attempts) == ("unproven", str(error), 1)


@pytest.mark.django_db
def test_claiming_anothers_page_proves_nothing_and_finds_its_owner(bob, mallory, pages):
    pages[PAGE] = button_of("bob")
    claim = check_claim(claim_of(mallory))
    assert (claim.state, claim.how) == (
        "unproven",
        "The page carries another person's button, and not yours.",
    )
    assert claim.thing.owner == bob


@pytest.mark.django_db
def test_a_second_button_freezes_both_claims_for_an_admin(bob, mallory, pages):
    pages[PAGE] = button_of("bob")
    first = check_claim(claim_of(bob))
    pages[PAGE] = button_of("bob") + button_of("mallory")
    second = check_claim(claim_of(mallory, first.thing))
    first.refresh_from_db()
    assert (first.state, second.state, second.thing.owner) == ("frozen", "frozen", None)


@pytest.mark.django_db
def test_a_page_that_changes_hands_freezes_both_claims(bob, carol, pages):
    pages[PAGE] = button_of("bob")
    first = check_claim(claim_of(bob))
    pages[PAGE] = button_of("carol")
    check_thing(first.thing_id)
    states = dict(Claim.objects.values_list("user__username", "state"))
    assert states == {"bob": "frozen", "carol": "frozen"}


@pytest.mark.django_db
def test_a_frozen_claim_stays_frozen_until_an_admin_decides(bob, pages):
    claim = claim_of(bob)
    Claim.objects.filter(pk=claim.pk).update(state="frozen")
    pages[PAGE] = button_of("bob")
    assert check_claim(claim).state == "frozen"


@pytest.mark.django_db
def test_an_admin_decides_who_owns_a_disputed_page(bob, mallory, pages):
    thing = make_thing()
    theirs, other = (
        Claim.objects.create(thing=thing, user=user, state="frozen") for user in (bob, mallory)
    )
    decide_claim(theirs, is_owner=True)
    thing.refresh_from_db()
    other.refresh_from_db()
    assert (thing.owner, other.state) == (bob, "refused")
    pages[PAGE] = button_of("bob") + button_of("mallory")
    check_thing(thing.pk)
    thing.refresh_from_db()
    assert thing.owner == bob


@pytest.mark.django_db
def test_refusing_one_claim_sends_the_other_to_the_next_check(bob, mallory, pages):
    thing = make_thing()
    theirs, other = (
        Claim.objects.create(thing=thing, user=user, state="frozen") for user in (bob, mallory)
    )
    decide_claim(other, is_owner=False)
    assert due_things(10) == [thing.pk]
    pages[PAGE] = button_of("bob") + button_of("mallory")
    assert check_claim(theirs).state == "proven"


@pytest.mark.django_db
def test_a_proof_lapses_only_after_several_failed_checks(bob, pages):
    pages[PAGE] = button_of("bob")
    claim = check_claim(claim_of(bob))
    pages[PAGE] = FetchFailed("Status 500.")
    for _ in range(FAILURES_BEFORE_LAPSE - 1):
        claim = check_claim(claim)
    assert (claim.state, claim.thing.owner) == ("proven", bob)
    claim = check_claim(claim)
    assert (claim.state, Claim.objects.get().thing.owner) == ("unproven", None)


@pytest.mark.django_db
def test_a_page_may_be_away_for_three_days_before_its_proof_lapses(bob, pages):
    pages[PAGE] = button_of("bob")
    claim = check_claim(claim_of(bob))
    pages[PAGE] = FetchFailed("Status 500.")
    away = timedelta()
    while (claim := check_claim(claim)).state == "proven":
        assert claim.next_check_at and claim.checked_at
        away += claim.next_check_at - claim.checked_at
    assert away == timedelta(days=3)


@pytest.mark.django_db
def test_one_good_check_forgets_the_failed_ones(bob, pages):
    pages[PAGE] = FetchFailed("Status 500.")
    claim = check_claim(claim_of(bob))
    pages[PAGE] = button_of("bob")
    assert check_claim(claim).attempts == 0


@pytest.mark.django_db
def test_each_failed_check_waits_longer_and_the_last_gives_up(bob, pages):
    pages[PAGE] = "<p>tea"
    claim = claim_of(bob)
    waits = []
    for _ in BACKOFF:
        claim = check_claim(claim)
        assert claim.next_check_at and claim.checked_at
        waits.append(claim.next_check_at - claim.checked_at)
    assert waits == list(BACKOFF) == sorted(waits)
    assert check_claim(claim).next_check_at is None


@pytest.mark.django_db
def test_a_new_flattr_takes_up_a_claim_that_was_given_up(patron, bob):
    claim = claim_of(bob)
    Claim.objects.filter(pk=claim.pk).update(next_check_at=None, attempts=9)
    record_flattr(patron, Submission(PAGE, claimant=bob))
    assert due_things(10) == [claim.thing_id]


@pytest.mark.django_db
def test_due_claims_are_taken_once(bob):
    claim = claim_of(bob)
    assert due_things(10) == [claim.thing_id]
    assert due_things(10) == []


@pytest.mark.django_db
def test_claims_that_are_not_due_are_left_alone(bob):
    claim = claim_of(bob)
    Claim.objects.filter(pk=claim.pk).update(next_check_at=timezone.now() + timedelta(minutes=1))
    assert due_things(10) == []


@pytest.mark.django_db
def test_the_tick_proves_what_was_flattred_first(patron, bob, pages):
    made = record_flattr(patron, Submission(PAGE, claimant=bob))
    pages[PAGE] = button_of("bob")
    assert tasks.check_claims() == 1
    made.thing.refresh_from_db()
    assert made.thing.owner == bob


@pytest.mark.django_db
def test_a_page_that_cannot_be_looked_at_does_not_keep_the_others(bob, pages):
    claim_of(bob)
    pages[PAGE] = RuntimeError("Our mistake.")
    other = "https://blog.example/coffee"
    pages[other] = button_of("bob").replace("tea", "coffee")
    claim = claim_of(bob, make_thing(other))
    assert tasks.check_claims() == 2
    claim.refresh_from_db()
    assert claim.state == "proven"


@pytest.mark.django_db
def test_an_owner_who_flattred_the_page_before_it_was_theirs_takes_no_part(bob, carol, pages):
    give_means(bob)
    made = record_flattr(bob, Submission(PAGE, claimant=carol))
    kept = flattr(give_means(carol), make_thing("https://blog.example/coffee", bob))
    pages[PAGE] = button_of("bob")
    check_thing(made.thing_id)
    made.refresh_from_db()
    kept.refresh_from_db()
    assert (made.state, kept.state) == ("undone", "made")


@pytest.mark.django_db
def test_what_an_owner_waited_for_on_their_own_page_is_dropped_with_the_proof(bob, carol, pages):
    give_means(bob)
    made = record_flattr(bob, Submission(PAGE, claimant=carol))
    Flattr.objects.filter(pk=made.pk).update(state="waiting")
    pages[PAGE] = button_of("bob")
    check_thing(made.thing_id)
    made.refresh_from_db()
    assert made.state == "dropped"


@pytest.mark.django_db
def test_before_a_withdrawal_the_pages_of_a_creator_are_looked_at_again(bob, carol, pages):
    pages[PAGE] = button_of("bob")
    claim = check_claim(claim_of(bob))
    assert recheck_claims_of(carol) == 0
    assert recheck_claims_of(bob) == 1
    assert due_things(10) == [claim.thing_id]


@pytest.mark.django_db
def test_a_thing_without_a_title_takes_the_one_of_its_page(bob, pages):
    thing = make_thing(title="")
    pages[PAGE] = button_of("bob")
    check_claim(claim_of(bob, thing))
    thing.refresh_from_db()
    assert thing.title == "Tea"


@pytest.mark.django_db
def test_flattrs_keep_their_month_when_the_owner_is_proven(patron, bob, pages):
    made = record_flattr(patron, Submission(PAGE, claimant=bob))
    pages[PAGE] = button_of("bob")
    check_thing(made.thing_id)
    assert Flattr.objects.get().state == "made"


@pytest.mark.django_db
def test_a_user_who_left_owns_nothing_new(bob, pages):
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)
    pages[PAGE] = button_of("bob")
    assert check_claim(claim_of(bob)).state == "unproven"
