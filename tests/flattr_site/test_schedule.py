from flattr_site.celery import HEARTBEAT, TICKS, app


def test_every_entry_of_the_schedule_is_a_task_that_exists():
    app.loader.import_default_modules()
    assert {HEARTBEAT, *TICKS} - set(app.tasks) == set()


def test_the_schedule_sends_each_tick_and_the_heartbeat():
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} == {HEARTBEAT, *TICKS}


def test_work_survives_only_in_postgres():
    """Messages are hints: results are ignored, and a worker takes one task at a time."""
    assert app.conf.task_ignore_result
    assert app.conf.task_acks_late
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.broker_connection_retry_on_startup
