"""Pages of the button: the click window, a patron's month, a creator's things, public pages."""

from functools import lru_cache

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import get_script_prefix, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from accounts.next_pages import safe_next
from accounts.rate_limits import person_and_path, rate_limited
from buttons.canonical import UrlRefused, origin_of
from buttons.flattrs import (
    AlreadyFlattred,
    AlreadyWaiting,
    FlattrRefused,
    TooLate,
    count_flattrs,
    drop_waiting,
    record_usual,
    undo_flattr,
)
from buttons.limits import presses_limited
from buttons.listing import (
    creators_things,
    patrons_month,
    public_things,
    thing_with_owner,
    with_what_waits,
)
from buttons.models import Flattr, Press
from buttons.months import current_month
from buttons.nonces import ARMED_AFTER_MS, NonceRefused, issue_nonce, read_nonce, spend_nonce
from buttons.ownership import check_claim
from buttons.platforms import HTML, PLATFORMS
from buttons.plugin_zip import PLUGIN, plugin_zip
from buttons.presses import Missing, drop_press, missing_of, press
from buttons.responses import opened_by_other_sites
from buttons.sessions import remember_press, remembered_presses
from buttons.snippets import LAYOUTS, Wish, snippets_of
from buttons.submissions import (
    ContentNotSupported,
    OwnerUnknown,
    read_address,
    read_submission,
    submission_of,
)
from buttons.subscription_views import every_month, flattr_tabs
from buttons.trust import site_to_trust, trusted_site_of
from buttons.window import CLICK, TRUST, Look

THINGS_A_PAGE = 50


@require_safe
@opened_by_other_sites
def submit_auto(request: HttpRequest) -> HttpResponse:
    """Show a thing and ask for one press. Nothing is recorded, and nothing is created."""
    try:
        look = Look.at(read_submission(request.GET), request.user)
    except (UrlRefused, ContentNotSupported) as error:
        return _not_supported(request, error)
    return _window(request, look)


@require_POST
@opened_by_other_sites
def press_button(request: HttpRequest) -> HttpResponse:
    """Record the press of an armed button as a flattr, or keep it until it can be one.

    Either way it counts as one of the minute: the statement that records the usual press counts it.
    """
    made_id = _usual_press(request)
    if made_id is None:
        return _other_press(request)
    return HttpResponseRedirect(f"{_flattrs_path(get_script_prefix())}{made_id}/")


@presses_limited
def _other_press(request: HttpRequest) -> HttpResponse:
    try:
        look = Look.at(read_submission(request.POST), request.user)
        # Both or neither, and one commit for both.
        with transaction.atomic():
            spend_nonce(request, look.url, request.POST.get("nonce", ""))
            made = press(look.patron, look.submission)
    except (UrlRefused, ContentNotSupported) as error:
        return _not_supported(request, error)
    except NonceRefused as refused:
        return _window(request, look, note=refused.message, status=409)
    except (AlreadyFlattred, AlreadyWaiting) as already:
        assert already.flattr, "a repeat names the flattr that is there"
        return redirect("buttons:flattred", already.flattr.pk)
    except FlattrRefused as refused:
        return _window(request, look, note=refused.message, status=409)
    if isinstance(made, Flattr):
        return redirect("buttons:flattred", made.pk)
    return _ask_for_what_is_missing(request, made, look)


@login_required
@require_safe
@opened_by_other_sites
def flattred(request: HttpRequest, flattr_id: int) -> HttpResponse:
    """Say what became of a press, tell the page that opened the window, and offer the undo."""
    flattr = get_object_or_404(
        _person(request).flattrs.select_related("thing__owner"), pk=flattr_id
    )
    context = {
        "flattr": flattr,
        "thing": flattr.thing,
        "can_undo": flattr.state == Flattr.State.MADE and flattr.month == current_month(),
        "flattrs": count_flattrs(flattr.thing),
        "origin": origin_of(flattr.thing.url),
        "arm_ms": ARMED_AFTER_MS,
        "trusted": trusted_site_of(flattr.patron, flattr.thing.url),
        "monthly": every_month(request, flattr),
    }
    if flattr.state in (Flattr.State.MADE, Flattr.State.WAITING):
        context["look"] = Look(submission_of(flattr.thing), flattr.patron, flattr.thing)
    if context["can_undo"] and not context["trusted"]:
        context["site"] = site_to_trust(flattr.patron, flattr.thing)
        context["nonce"] = issue_nonce(request, f"{TRUST} {flattr.thing.url}")
    return render(request, "buttons/flattred.html", context)


@login_required
@require_POST
@opened_by_other_sites
@presses_limited
def undo(request: HttpRequest, flattr_id: int) -> HttpResponse:
    try:
        undone = undo_flattr(_person(request), flattr_id)
    except Flattr.DoesNotExist as error:
        raise Http404 from error
    except TooLate as late:
        messages.error(request, late.message)
    else:
        _tell_the_list(request, f"{undone.thing} is no longer among what you flattred.")
    return redirect(safe_next(request) or reverse("buttons:flattred", args=[flattr_id]))


@login_required
@require_POST
@opened_by_other_sites
@presses_limited
def drop(request: HttpRequest, flattr_id: int) -> HttpResponse:
    try:
        dropped = drop_waiting(_person(request), flattr_id)
    except Flattr.DoesNotExist as error:
        raise Http404 from error
    except TooLate:
        messages.error(request, "This flattr no longer waits, so it stays as it is.")
    else:
        _tell_the_list(request, f"Your flattr for {dropped.thing} was given up. It cost nothing.")
    return redirect(safe_next(request) or reverse("buttons:flattred", args=[flattr_id]))


@require_safe
@opened_by_other_sites
def kept_press(request: HttpRequest, press_id: str) -> HttpResponse:
    """Say what a kept press still waits for; the server completes it, and never this page."""
    kept = get_object_or_404(Press.objects.select_related("patron"), pk=press_id)
    is_in_session = kept.patron is None and str(kept.pk) in remembered_presses(request)
    if not is_in_session and (kept.patron is None or kept.patron != request.user):
        raise Http404
    if kept.flattr_id:
        return redirect("buttons:flattred", kept.flattr_id)
    context = {
        "press": kept,
        "missing": missing_of(kept.patron),
        "Missing": Missing,
        "here": urlencode({"next": request.path}),
        "is_waiting": "waiting" in request.GET,
    }
    return render(request, "buttons/kept_press.html", context)


@login_required
@require_POST
def give_up_press(request: HttpRequest, press_id: str) -> HttpResponse:
    try:
        drop_press(_person(request), press_id)
    except Press.DoesNotExist as error:
        raise Http404 from error
    return redirect("buttons:flattrs")


@login_required
@require_safe
def flattrs(request: HttpRequest) -> HttpResponse:
    """Show a patron's open month: what takes part, what waits and why, what is not complete."""
    patron = _person(request)
    context = {
        "month": patrons_month(patron),
        "missing": missing_of(patron),
        "tabs": flattr_tabs(),
        "trusted_sites": patron.trusted_sites.select_related("site").order_by("site__origin"),
    }
    return render(request, "buttons/flattrs.html", context)


@login_required
@require_safe
def things(request: HttpRequest) -> HttpResponse:
    """Show a creator's things with their counts, whether they are proven, and why not."""
    person = _person(request)
    page = Paginator(creators_things(person), THINGS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "listed": with_what_waits(person, list(page)),
        "sites": person.sites.order_by("origin"),
    }
    return render(request, "buttons/things.html", context)


@login_required
@require_POST
@rate_limited("check-claim-thing", "1/10s", key=person_and_path)
@rate_limited("check-claim", "6/m")
def check_now(request: HttpRequest, thing_id: int) -> HttpResponse:
    """Look at the creator's page now, instead of at the next tick."""
    claim = get_object_or_404(_person(request).claims, thing_id=thing_id)
    claim = check_claim(claim)
    tell = messages.success if claim.state == claim.State.PROVEN else messages.warning
    tell(request, f"{claim.get_state_display()}. {claim.how}")
    return redirect("buttons:things")


@require_safe
def snippet(request: HttpRequest, slug: str = HTML.slug) -> HttpResponse:
    """Give what to paste into a page so that it carries a button, on one platform."""
    if slug not in PLATFORMS:
        raise Http404
    person = request.user if isinstance(request.user, User) else None
    wish = Wish.of(person, request.GET.dict())
    context = {
        "platform": PLATFORMS[slug],
        "platforms": PLATFORMS.values(),
        "wish": wish,
        "layouts": LAYOUTS,
        "themes": {"": "As the visitor's screen is", "light": "Light", "dark": "Dark"},
        "snippets": snippets_of(PLATFORMS[slug], wish),
    }
    return render(request, "buttons/snippet.html", context)


@require_safe
def wordpress_plugin(request: HttpRequest) -> HttpResponse:
    """Hand out the plugin for WordPress, the same file as `make wordpress-plugin` makes."""
    response = HttpResponse(plugin_zip(), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{PLUGIN}.zip"'
    return response


@require_safe
def thing_page(request: HttpRequest, thing_id: int, slug: str = "") -> HttpResponse:
    """Show one thing to everybody. The slug is for people; any one leads here."""
    thing = get_object_or_404(thing_with_owner(), pk=thing_id)
    return render(request, "buttons/thing.html", {"thing": thing, "base_url": settings.BASE_URL})


@require_safe
def user_page(request: HttpRequest, username: str) -> HttpResponse:
    """Show one person's public things to everybody."""
    person = get_object_or_404(User, username__iexact=username, is_active=True)
    page = Paginator(public_things(person), THINGS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "buttons/user.html", {"person": person, "page": page})


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User), "the view asks for a sign-in"
    return request.user


def _usual_press(request: HttpRequest) -> int | None:
    """Record what nothing is in the way of; None where something is, which others then say."""
    if not isinstance(request.user, User):
        return None
    try:
        # What the button says of its page is for a thing that does not exist yet; but whoever it
        # names must exist.
        url, _ = read_address(request.POST)
        digest = read_nonce(request, url, request.POST.get("nonce", ""))
    except (UrlRefused, ContentNotSupported, NonceRefused):
        return None
    return record_usual(request.user, url, digest)


@lru_cache(maxsize=8)
def _flattrs_path(script_prefix: str) -> str:
    """Return where every flattr's page lies; to work it out anew is a twentieth of a press.

    `reverse` puts the prefix of the request before it, so it is kept for each.
    """
    return reverse("buttons:flattred", args=[0]).removesuffix("0/")


def _window(request: HttpRequest, look: Look, note: str = "", status: int = 200) -> HttpResponse:
    context = {
        "look": look,
        "note": note,
        "Missing": Missing,
        "arm_ms": ARMED_AFTER_MS,
        "nonce": issue_nonce(request, look.url),
        "parameters": look.submission.as_parameters(),
    }
    if look.flattr:
        context["monthly"] = every_month(request, look.flattr)
    # `press` is what a click that could not be recorded adds, so that it is asked for.
    if not note and "press" not in request.GET and look.may_click:
        context["click_nonce"] = issue_nonce(request, f"{CLICK} {look.origin} {look.url}")
    return render(request, "buttons/window.html", context, status=status)


def _not_supported(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer 400 for an address that cannot be a thing, 404 for one that nobody owns here."""
    is_bad = isinstance(error, UrlRefused)
    context = {
        "message": str(error) if is_bad else "",
        "is_owner_unknown": isinstance(error, OwnerUnknown),
        "is_bad": is_bad,
    }
    return render(request, "buttons/not_supported.html", context, status=400 if is_bad else 404)


def _ask_for_what_is_missing(request: HttpRequest, kept: Press, look: Look) -> HttpResponse:
    """Lead on to what completes a kept press, and from there back to it.

    A window that its page still hears stays here, and what is missing opens beside it.
    """
    here = reverse("buttons:kept-press", args=[kept.pk])
    if look.patron is None:
        remember_press(request, kept)
    elif look.missing == Missing.MEANS and not request.POST.get("opened"):
        return redirect(f"{reverse('funds:add')}?{urlencode({'next': here})}")
    return redirect(here)


def _tell_the_list(request: HttpRequest, said: str) -> None:
    """Say what happened where a list comes next; a flattr's own page says it itself."""
    if request.POST.get("next"):
        messages.success(request, said)
