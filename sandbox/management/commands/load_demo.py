"""Fill an empty sandbox with people, things, flattrs and a closed month; a repeat is harmless."""

from typing import Any

from django.core.management.base import BaseCommand

from sandbox.demo.load import load, sandbox_stripe
from sandbox.environment import data_folder, port_of
from sandbox.ports import LOOPBACK


class Command(BaseCommand):
    help = "Fill an empty sandbox with demo data."

    def handle(self, *args: Any, **options: Any) -> None:
        is_loaded = load(f"http://{LOOPBACK}:{port_of('BLOG_PORT')}", sandbox_stripe(data_folder()))
        self.stdout.write(
            "Demo data loaded." if is_loaded else "There are people already: nothing was loaded."
        )
