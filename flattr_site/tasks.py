"""Proof of life: a row that only a worker's child can have written."""

from celery import shared_task
from django.db.models.functions import Now

from flattr_site.models import Heartbeat


@shared_task
def record_heartbeat() -> None:
    """Write the database's time as the worker's last sign of life."""
    Heartbeat.objects.update_or_create(name=Heartbeat.WORKER, defaults={"beat_at": Now()})
