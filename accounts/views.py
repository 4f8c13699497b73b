"""Pages of people that are not allauth's."""

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.forms import ProfileForm
from accounts.models import User
from accounts.rate_limits import rate_limited


@login_required
@rate_limited("profile", "30/h", key="user")
def profile(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    # A copy, because a refused form would put what was typed into the header of the page.
    user = User.objects.get(pk=request.user.pk)
    form = ProfileForm(request.POST or None, instance=user, is_username_fixed=user.claims.exists())
    if form.is_valid():
        user.save(update_fields=form.Meta.fields)
        messages.success(request, "Saved.")
        return redirect("accounts:profile")
    return render(request, "accounts/profile.html", {"form": form})


@login_required
@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    get_object_or_404(UserSession, pk=pk, user=request.user).end()
    messages.success(request, "That device is signed out.")
    return redirect("usersessions_list")
