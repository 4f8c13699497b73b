"""Start what the tests stand on before Django reads its settings.

`.venv/bin/pytest` alone is enough: it runs an embedded PostgreSQL and Redis of its own in a fresh
folder, shared by the xdist workers, and stops them at the end. DATABASE_URL and REDIS_URL replace
them; then DATABASE_OWNER_URL must name a role that may create databases.
"""

import atexit
import os
import sys
from urllib.parse import urlsplit

import django
from django.conf import settings

from sandbox.environment import test_parts
from sandbox.errors import SandboxError

worker = os.environ.get("PYTEST_XDIST_WORKER")
if worker is None:
    try:
        parts = test_parts()
        parts.start()
    except SandboxError as error:
        sys.exit(str(error))
    atexit.register(parts.discard)
    os.environ.update(parts.environment())
else:
    # A test that empties the cache must not forget what another worker's test has counted.
    # pytest-django has read the settings by now, since a worker inherits the environment.
    database = urlsplit(settings.REDIS_URL)._replace(path=f"/{int(worker[2:]) + 1}")
    settings.CACHES["default"]["LOCATION"] = database.geturl()

django.setup()
