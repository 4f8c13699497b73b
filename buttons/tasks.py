"""What workers do for buttons: each tick asks the database what is due, and does it."""

import logging

from celery import shared_task

from buttons.nonces import forget_nonces
from buttons.ownership import check_site, check_thing, due_sites, due_things
from buttons.presses import complete_presses as complete_due_presses

logger = logging.getLogger(__name__)

# Each page may take ten seconds, and a task ends long before its time limit.
PAGES_AT_ONCE = 20
SITES_AT_ONCE = 5


@shared_task
def check_claims() -> int:
    """Look at the sites and pages whose claims are due; return how many pages were looked at."""
    for site in due_sites(SITES_AT_ONCE):
        try:
            check_site(site)
        except Exception:
            logger.exception("%s could not be looked at", site)
    thing_ids = due_things(PAGES_AT_ONCE)
    for thing_id in thing_ids:
        try:
            check_thing(thing_id)
        except Exception:
            # One page must not keep the others; its lease makes it due again.
            logger.exception("Thing %s could not be looked at", thing_id)
    return len(thing_ids)


@shared_task
def complete_presses() -> int:
    """Complete the presses that lack nothing any more, and return how many were settled."""
    forget_nonces()
    return complete_due_presses()
