"""A real beat with the product's schedule, each minute of which is a second."""

import sys

from flattr_site.celery import TICK_SECONDS, app

if __name__ == "__main__":
    for entry in app.conf.beat_schedule.values():
        entry["schedule"] /= TICK_SECONDS
    app.start(["beat", "--pidfile=", "--max-interval=1", f"--schedule={sys.argv[1]}"])
