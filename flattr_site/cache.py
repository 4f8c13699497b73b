"""The cache: Redis, and pages that work without it."""

import logging
from typing import Any

from django_redis.cache import RedisCache
from django_redis.exceptions import ConnectionInterrupted

logger = logging.getLogger(__name__)


class SiteCache(RedisCache):  # type: ignore[misc]
    """Redis, where a lock can be taken while the server is down.

    With IGNORE_EXCEPTIONS an interrupted `add` answers None, as if somebody else held the key.
    The rate limits of allauth would wait for that lock and then refuse everybody's sign-in.
    """

    def add(self, *args: Any, **kwargs: Any) -> bool:
        try:
            return bool(self.client.add(*args, **kwargs))
        except ConnectionInterrupted:
            logger.exception("Redis does not answer; going on without it.")
            return True
