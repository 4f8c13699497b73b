"""The site: settings, addresses, the front page, health, and the worker's application."""

from flattr_site.celery import app as celery_app

# Imported here so that `shared_task` finds the application in every process of the site.
__all__ = ["celery_app"]
