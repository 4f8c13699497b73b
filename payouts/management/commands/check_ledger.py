"""Check the books and say what is wrong with them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payouts.check_books import CHECKS, record_check


class Command(BaseCommand):
    help = "Recompute what must be true of the ledger; exit 1 where it is not."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = {finding["name"]: finding for finding in record_check().findings}
        for check in CHECKS:
            is_broken = check.name in broken
            mark = self.style.ERROR("BROKEN") if is_broken else self.style.SUCCESS("ok    ")
            self.stdout.write(f"{mark} {check.name}: {check.rule}")
            for row in broken[check.name]["rows"] if is_broken else ():
                self.stdout.write(f"       {row}")
        if broken:
            raise CommandError(f"{len(broken)} of {len(CHECKS)} checks found something wrong.")
        self.stdout.write(f"The books are sound: {len(CHECKS)} checks.")
