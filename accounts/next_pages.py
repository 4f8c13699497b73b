"""Where a form leads to when it is done: a page of this site that it names, or none."""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def safe_next(request: HttpRequest) -> str:
    """Return the path of this site that `next` names, or nothing."""
    path = request.POST.get("next") or request.GET.get("next") or ""
    # It is stored, and PostgreSQL takes no NUL.
    is_path = path.startswith("/") and path.isprintable() and len(path) <= 2_000
    is_ours = url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return path if is_path and is_ours else ""
