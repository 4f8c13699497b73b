"""Bring the sandbox's database up to date, and fill it once; prints the demo sign-ins."""

import sys

import django
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor

from funds.roles import as_owner


def main() -> None:
    # Everything but the sign-ins goes to the terminal, which shows standard error.
    if has_unapplied_migrations():
        call_command("migrate", interactive=False, verbosity=0, stdout=sys.stderr)


def has_unapplied_migrations() -> bool:
    """Ask as the owner: on the very first start the site's role may not read anything yet."""
    with as_owner(DEFAULT_DB_ALIAS):
        executor = MigrationExecutor(connection)
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


if __name__ == "__main__":
    django.setup()
    main()
