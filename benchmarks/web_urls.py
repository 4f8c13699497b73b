"""The site's own addresses, and beside them a view that does nothing."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

BYTES = b"x" * 1_000


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse(BYTES, content_type="image/svg+xml; charset=utf-8")


urlpatterns = [path("bare", bare), path("", include("flattr_site.urls"))]
