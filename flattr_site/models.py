"""The one table of the site itself."""

from django.db import models


class Heartbeat(models.Model):
    """When a process of this instance last finished a piece of work, by the database's clock."""

    WORKER = "worker"

    name = models.CharField(max_length=20, primary_key=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S} UTC"
