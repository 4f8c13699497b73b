"""Bring the sandbox's database up to date, and fill it on the first start."""

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - After setup: it reads models.
from django.db import DEFAULT_DB_ALIAS, connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

from funds.roles import as_owner  # noqa: E402
from sandbox.demo.load import load, sandbox_stripe  # noqa: E402
from sandbox.environment import data_folder, port_of  # noqa: E402
from sandbox.ports import LOOPBACK  # noqa: E402


def main() -> None:
    if has_unapplied_migrations():
        call_command("migrate", interactive=False, verbosity=0)
    load(f"http://{LOOPBACK}:{port_of('BLOG_PORT')}", sandbox_stripe(data_folder()))


def has_unapplied_migrations() -> bool:
    """Ask as the owner: on the very first start the site's role may not read anything yet."""
    with as_owner(DEFAULT_DB_ALIAS):
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


if __name__ == "__main__":
    main()
