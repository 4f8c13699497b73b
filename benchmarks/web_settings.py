"""The site's settings with one address more."""

from flattr_site.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.web_urls"
