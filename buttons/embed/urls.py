from django.urls import path, re_path

from buttons.embed import views

urlpatterns = [
    path("badge.svg", views.badge, name="badge"),
    path("button.js", views.button_js, name="button-js"),
    re_path(r"^button-(?P<version>[0-9a-f]{12})\.js$", views.button_js, name="button-js-version"),
]
