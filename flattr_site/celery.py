"""The hands that do the work PostgreSQL says is due (`docs/architecture.md`, Background work).

Every entry of the schedule asks the database what is due and does it. A lost message, a lost
schedule or a day of downtime therefore only delays: the next tick finds the same rows.
"""

import os

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "flattr_site.settings")

TICK_SECONDS = 60
HEARTBEAT_SECONDS = 30
HEARTBEAT = "flattr_site.tasks.record_heartbeat"
# In the order of the money: what came in, what may be completed with it, what goes out.
TICKS: tuple[str, ...] = (
    "funds.tasks.apply_events",
    "funds.tasks.send_due_requests",
    "funds.tasks.find_lost_news",
    "funds.tasks.reconcile",
    "buttons.tasks.check_claims",
    "buttons.tasks.complete_presses",
    "payouts.tasks.close_due_months",
    "payouts.tasks.follow_up_closes",
    "payouts.tasks.flattr_subscriptions",
    "payouts.tasks.mail_statements",
    "payouts.tasks.mail_withdrawals",
    "payouts.tasks.check_books",
    "payouts.tasks.publish_figures",
)

app = Celery("flattr_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A tick that waited longer than the next one is worth nothing: the next asks the same question.
app.conf.beat_schedule = {
    name: {"task": name, "schedule": TICK_SECONDS, "options": {"expires": TICK_SECONDS}}
    for name in TICKS
} | {
    HEARTBEAT: {
        "task": HEARTBEAT,
        "schedule": HEARTBEAT_SECONDS,
        "options": {"expires": HEARTBEAT_SECONDS},
    }
}


@worker_ready.connect
def start_at_once(**kwargs: object) -> None:
    """Ask for the first heartbeat and tick now, not a minute after the worker came up."""
    for name in (HEARTBEAT, *TICKS):
        app.send_task(name, expires=TICK_SECONDS)
