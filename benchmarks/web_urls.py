"""The site's own addresses, beside them a view that does nothing, and one that inserts a row."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.http import require_POST

BYTES = b"x" * 1_000


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse(BYTES, content_type="image/svg+xml; charset=utf-8")


@require_POST
def bare_insert(request: HttpRequest) -> HttpResponse:
    """Do what no recorded click could do without: session, user, one row."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare_click (patron_id) VALUES (%s)", [request.user.pk])
    return HttpResponse(status=302, headers={"Location": "/"})


urlpatterns = [
    path("bare", bare),
    path("bare-insert", bare_insert),
    path("", include("flattr_site.urls")),
]
