"""Migrate as the database's owner, then grant the site's role what it needs."""

from typing import Any

from django.core.management.commands.migrate import Command as MigrateCommand

from funds.roles import as_owner, grant_to_app_role


class Command(MigrateCommand):
    help = MigrateCommand.help + " Runs as the role of DATABASE_OWNER_URL."

    def handle(self, *args: Any, **options: Any) -> None:
        with as_owner(options["database"]) as connection:
            super().handle(*args, **options)
            if not (options["plan"] or options["check_unapplied"]) and options["app_label"] is None:
                grant_to_app_role(connection)
