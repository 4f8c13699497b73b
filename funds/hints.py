"""Hints for the workers: sent when a transaction commits, and lost without harm.

PostgreSQL holds what is due and a tick asks it each minute, so that a broker that is down costs a
minute and nothing else.
"""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

EXPIRES_SECONDS = 60


def hint(task_name: str, *args: Any) -> None:
    """Ask a worker to look at once, when what was just written is committed."""
    transaction.on_commit(lambda: _send(task_name, args))


def _send(task_name: str, args: tuple[Any, ...]) -> None:
    try:
        current_app.send_task(task_name, args=args, retry=False, expires=EXPIRES_SECONDS)
    except (OperationalError, OSError) as error:
        logger.warning("No hint for %s, the next tick finds it: %s", task_name, error)
