"""What foreign pages load, at our own addresses and at those that they carry since 2010.

The original answered at three hosts: its paths do not collide, so one host serves them all.
"""

from django.urls import path, re_path

from buttons.embed import views

IMAGE = r"(?P<name>flattr-badge-(?:large|small)|button-static-50x60|button-compact-static-100x17)"

urlpatterns = [
    path("badge.svg", views.badge, name="badge"),
    path("button.js", views.button_js, name="button-js"),
    re_path(r"^button-(?P<version>[0-9a-f]{12})\.js$", views.button_js, name="button-js-version"),
    re_path(r"^(?:js/0\.(?:5|5\.0|6|7)|button)/load\.js$", views.load_js, name="load-js"),
    re_path(r"^(?:button/)?view/?$", views.frame, {"is_popout": False}, name="frame"),
    re_path(r"^button/popout/?$", views.frame, {"is_popout": True}, name="popout"),
    re_path(rf"^(?:button/)?{IMAGE}\.png$", views.image, name="image"),
    re_path(r"^thing/qr/(?P<thing_id>\d{1,18})(?:\.(?P<kind>svg|png))?$", views.qr, name="qr"),
    re_path(r"^_img/icons/(?P<name>flattr_logo_16)\.png$", views.image, name="icon"),
]
