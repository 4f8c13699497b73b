"""The addresses of the site, one line for each app."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from flattr_site import patterns, views
from flattr_site.health import health

# Otherwise the admin's own form signs people in without rate limit and without verified mail.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_title = "Flattr admin"
admin.site.index_title = "What would you like to know?"

urlpatterns = [
    path("", views.home, name="home"),
    path("dashboard/", views.dashboard, name="dashboard"),
    path("how-it-works/", views.how_it_works, name="how-it-works"),
    path("privacy/", views.privacy, name="privacy"),
    path("patterns/", patterns.patterns, name="patterns"),
    path("healthz", health, name="health"),
    path("accounts/", include("accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("funds.urls")),
    path("", include("buttons.urls")),
    path("", include("payouts.urls")),
    path("admin/", admin.site.urls),
]

handler429 = "accounts.rate_limits.too_many"
