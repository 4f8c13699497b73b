"""How the steps of the snippet pages are shown."""

import re

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

BACKTICKED = re.compile(r"`([^`]+)`")


@register.filter
def with_code(text: str) -> SafeString:
    """Show what stands in backticks as code; all of the text is escaped before."""
    return mark_safe(BACKTICKED.sub(r"<code>\1</code>", escape(text)))  # noqa: S308
