"""Start what the tests stand on before Django reads its settings.

`.venv/bin/pytest` alone is enough: it runs an embedded PostgreSQL and Redis of its own in a fresh
folder, shared by the xdist workers, and stops them at the end. DATABASE_URL and REDIS_URL replace
them; then DATABASE_OWNER_URL must name a role that may create databases.
"""

import atexit
import os
import sys

import django

from sandbox.environment import test_parts
from sandbox.errors import SandboxError

if "PYTEST_XDIST_WORKER" not in os.environ:
    try:
        parts = test_parts()
        parts.start()
    except SandboxError as error:
        sys.exit(str(error))
    atexit.register(parts.discard)
    os.environ.update(parts.environment())

django.setup()
