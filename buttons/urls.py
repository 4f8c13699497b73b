"""Addresses of things and flattrs. The auto-submit address is the one pages carry since 2010."""

from django.urls import include, path
from django.views.generic import RedirectView

from buttons import description_views, site_views, subscription_views, trust_views, views

TO_USER = RedirectView.as_view(pattern_name="buttons:user", permanent=True)

app_name = "buttons"
urlpatterns = [
    path("submit/auto", views.submit_auto, name="submit-auto"),
    path("submit/auto/", views.submit_auto),
    path("submit/press/", views.press_button, name="press"),
    path("submit/click/", trust_views.click, name="click"),
    path("flattr/<int:flattr_id>/trust/", trust_views.trust, name="trust"),
    path("trusted/<int:trusted_id>/stop/", trust_views.stop, name="stop-trusting"),
    path("flattr/<int:flattr_id>/", views.flattred, name="flattred"),
    path("flattr/<int:flattr_id>/undo/", views.undo, name="undo"),
    path("flattr/<int:flattr_id>/drop/", views.drop, name="drop"),
    path("flattr/<int:flattr_id>/subscribe/", subscription_views.begin, name="subscribe"),
    path("subscriptions/", subscription_views.subscriptions, name="subscriptions"),
    path(
        "subscriptions/<int:subscription_id>/cancel/",
        subscription_views.cancel,
        name="cancel-subscription",
    ),
    path("press/<uuid:press_id>/", views.kept_press, name="kept-press"),
    path("press/<uuid:press_id>/drop/", views.give_up_press, name="drop-press"),
    path("flattrs/", views.flattrs, name="flattrs"),
    path("buttons/", views.snippet, name="snippet"),
    path("buttons/wordpress/flattr-button.zip", views.wordpress_plugin, name="wordpress-plugin"),
    path("buttons/<slug:slug>/", views.snippet, name="platform"),
    path("things/", views.things, name="things"),
    path("things/<int:thing_id>/check/", views.check_now, name="check-now"),
    path("things/<int:thing_id>/edit/", description_views.describe, name="describe"),
    path("sites/", site_views.start, name="start-site"),
    path("sites/<int:site_id>/check/", site_views.check_now, name="check-site"),
    path("thing/<int:thing_id>", views.thing_page, name="thing"),
    path("thing/<int:thing_id>/", views.thing_page),
    path("thing/<int:thing_id>/<str:slug>", views.thing_page),
    path("thing/<int:thing_id>/<str:slug>/", views.thing_page),
    path("", include("buttons.embed.urls")),
    path("@<slug:username>", views.user_page, name="user"),
    path("@<slug:username>/", views.user_page),
    # Where people were found before.
    path("profile/<slug:username>", TO_USER),
    path("profile/<slug:username>/", TO_USER),
    path("user/<slug:username>", TO_USER),
    path("user/<slug:username>/", TO_USER),
    path("donation/give/to/<slug:username>", TO_USER),
    path("donation/give/to/<slug:username>/", TO_USER),
]
