"""A real Celery worker for small months: a patron is a chunk, and statistics follow at once."""

import importlib

import django

from flattr_site.celery import app

if __name__ == "__main__":
    django.setup()
    # Models can be imported only now.
    close = importlib.import_module("payouts.close").__dict__
    close.update(CHUNK_SIZE=1, CHUNK_SIZE_MIN=1, ANALYZE_FLATTRS_MIN=1)
    command = ["worker", "--concurrency=1", "--loglevel=INFO"]
    app.worker_main([*command, "--without-mingle", "--without-gossip"])
