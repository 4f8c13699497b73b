"""What an admin asks of buttons: whose a page is, who says so, who flattred what, what is not done.

Flattrs, presses and things are read here and written by their verbs; a claim is decided here.
"""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from buttons.listing import shown_flattrs
from buttons.models import Claim, Flattr, Press, Site, Subscription, Thing
from buttons.ownership import check_claim, check_site, decide_claim, decide_site

# Each fetches a page of up to ten seconds while the admin waits.
CHECKED_AT_ONCE = 5


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Thing)
class ThingAdmin(ReadOnlyAdmin):
    list_display = ["title_or_url", "owner", "flattr_count", "is_hidden", "created_at"]
    list_select_related = ["owner"]
    list_filter = ["is_hidden", "category", ("owner", admin.EmptyFieldListFilter)]
    search_fields = ["url", "title", "owner__username"]
    search_help_text = "Address, title or owner"
    ordering = ["-pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Thing]:
        things: QuerySet[Thing] = super().get_queryset(request)
        return things.annotate(flattr_count=shown_flattrs())

    @admin.display(description="thing")
    def title_or_url(self, thing: Thing) -> str:
        return str(thing)

    @admin.display(description="flattrs")
    def flattr_count(self, thing: Thing) -> int:
        return int(getattr(thing, "flattr_count", 0))


@admin.register(Claim)
class ClaimAdmin(ReadOnlyAdmin):
    list_display = ["thing", "user", "state", "how", "checked_at", "next_check_at", "attempts"]
    list_select_related = ["thing", "user"]
    list_filter = ["state", "checked_at"]
    search_fields = ["thing__url", "thing__title", "user__username"]
    search_help_text = "Address, title or user"
    ordering = ["-pk"]
    actions = ["approve", "refuse", "look_again"]

    # The actions decide claims, so they are for those who may change them.
    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("buttons.change_claim")

    @admin.action(description="The page is theirs", permissions=["decide"])
    def approve(self, request: HttpRequest, claims: QuerySet[Claim]) -> None:
        self._decide(request, claims, is_owner=True)

    @admin.action(description="The page is not theirs", permissions=["decide"])
    def refuse(self, request: HttpRequest, claims: QuerySet[Claim]) -> None:
        self._decide(request, claims, is_owner=False)

    @admin.action(description="Look at the page now", permissions=["decide"])
    def look_again(self, request: HttpRequest, claims: QuerySet[Claim]) -> None:
        for claim in claims[:CHECKED_AT_ONCE]:
            checked = check_claim(claim)
            self.message_user(request, f"{checked}: {checked.state}. {checked.how}")

    def _decide(self, request: HttpRequest, claims: QuerySet[Claim], *, is_owner: bool) -> None:
        chosen = list(claims.select_related("thing", "user"))
        if len({claim.thing_id for claim in chosen}) < len(chosen):
            self.message_user(request, "Decide for one claim on each thing.", messages.ERROR)
            return
        for claim in chosen:
            decide_claim(claim, is_owner=is_owner)
            self.log_change(request, claim, f"Decided: {'theirs' if is_owner else 'not theirs'}.")
        self.message_user(request, f"Decided {len(chosen)}.", messages.SUCCESS)


@admin.register(Site)
class SiteAdmin(ReadOnlyAdmin):
    list_display = ["origin", "user", "state", "how", "checked_at", "next_check_at", "attempts"]
    list_select_related = ["user"]
    list_filter = ["state", "checked_at"]
    search_fields = ["origin", "user__username"]
    search_help_text = "Address or user"
    ordering = ["-pk"]
    actions = ["approve", "refuse", "look_again"]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("buttons.change_site")

    @admin.action(description="The site is theirs", permissions=["decide"])
    def approve(self, request: HttpRequest, sites: QuerySet[Site]) -> None:
        self._decide(request, sites, is_owner=True)

    @admin.action(description="The site is not theirs", permissions=["decide"])
    def refuse(self, request: HttpRequest, sites: QuerySet[Site]) -> None:
        self._decide(request, sites, is_owner=False)

    @admin.action(description="Look at the site now", permissions=["decide"])
    def look_again(self, request: HttpRequest, sites: QuerySet[Site]) -> None:
        for site in sites.select_related("user")[:CHECKED_AT_ONCE]:
            checked = check_site(site)
            self.message_user(request, f"{checked}: {checked.state}. {checked.how}")

    def _decide(self, request: HttpRequest, sites: QuerySet[Site], *, is_owner: bool) -> None:
        chosen = list(sites.select_related("user"))
        if len({site.origin for site in chosen}) < len(chosen):
            self.message_user(request, "Decide for one person on each site.", messages.ERROR)
            return
        for site in chosen:
            decide_site(site, is_owner=is_owner)
            self.log_change(request, site, f"Decided: {'theirs' if is_owner else 'not theirs'}.")
        self.message_user(request, f"Decided {len(chosen)}.", messages.SUCCESS)


@admin.register(Flattr)
class FlattrAdmin(ReadOnlyAdmin):
    list_display = ["id", "patron", "thing", "month", "state", "created_at", "ended_at"]
    list_select_related = ["patron", "thing"]
    list_filter = ["state", "month"]
    search_fields = ["patron__username", "patron__email", "thing__url", "thing__title"]
    search_help_text = "Patron, address or title"
    ordering = ["-pk"]


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "patron",
        "thing",
        "first_month",
        "next_month",
        "last_month",
        "cancelled_at",
    ]
    list_select_related = ["patron", "thing"]
    list_filter = ["first_month", "cancelled_at"]
    search_fields = ["patron__username", "patron__email", "thing__url", "thing__title"]
    search_help_text = "Patron, address or title"
    ordering = ["-pk"]


@admin.register(Press)
class PressAdmin(ReadOnlyAdmin):
    list_display = ["url", "patron", "state", "why", "created_at", "expires_at"]
    list_select_related = ["patron"]
    list_filter = ["state", "created_at"]
    search_fields = ["url", "patron__username", "patron__email"]
    search_help_text = "Address or patron"
    ordering = ["-created_at"]
