"""The page on which an owner says what their thing is."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.models import User
from accounts.rate_limits import rate_limited
from buttons.descriptions import NotTheirs, describe_thing
from buttons.forms import WordsForm


@login_required
@rate_limited("describe", "60/h", key="user")
def describe(request: HttpRequest, thing_id: int) -> HttpResponse:
    """Let the owner of a thing edit its words; nobody else learns that there is such a page."""
    assert isinstance(request.user, User), "the view asks for a sign-in"
    thing = get_object_or_404(request.user.things, pk=thing_id)
    form = WordsForm(request.POST or None, thing=thing)
    if form.is_valid():
        try:
            shows_readers = form.cleaned_data["shows_readers"]
            describe_thing(request.user, thing.pk, form.words, shows_readers=shows_readers)
        except NotTheirs as error:
            raise Http404 from error
        messages.success(request, "Saved.")
        return redirect("buttons:things")
    context = {"form": form, "thing": thing, "base_url": settings.BASE_URL}
    return render(request, "buttons/describe.html", context)
