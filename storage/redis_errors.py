"""What goes wrong with Redis, as Bearometer's own errors: for all that keeps something there."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bearometer.errors import Misconfigured, Transient, Unavailable, WindowsLost
from bearometer.settings import RedisSettings

__all__ = ["LOST", "connect_redis", "lost", "translated_errors", "where"]

LOST = "WINDOWSLOST"
"""With what the scripts begin their error when the guard is not there."""


def connect_redis(settings: RedisSettings) -> redis.Redis:
    """A client, which connects when it is first used and tries nothing twice; Misconfigured when the URL is none."""
    try:
        return redis.Redis.from_url(
            settings.url.get_secret_value(),
            socket_timeout=settings.timeout_seconds,
            socket_connect_timeout=settings.timeout_seconds,
            # A call of the script may be repeated, but the caller decides when: its back-off knows the batch.
            retry=Retry(NoBackoff(), 0),
            health_check_interval=30,
            client_name="bearometer",
        )
    except ValueError:  # its text holds the URL, and with it the password
        message = "`redis.url` is no URL; it must be like redis://:password@host:6379/0 (or rediss://, unix://)"
        raise Misconfigured(message) from None


def where(client: redis.Redis) -> str:
    """The server's address, without the password."""
    options = client.connection_pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


def lost(client: redis.Redis) -> WindowsLost:
    """What is raised when Redis does not hold everything."""
    message = f"Redis at {where(client)} does not hold all windows: run `bearometer rebuild-windows`"
    return WindowsLost(message)


@contextmanager
def translated_errors(client: redis.Redis) -> Iterator[None]:
    """Raise Unavailable, WindowsLost or Transient for what redis-py raises; a defect is raised as it is."""
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
        message = f"Redis at {where(client)} refuses us: wrong or missing user or password ({error})"
        raise Unavailable(message) from error
    except (redis.ConnectionError, redis.TimeoutError) as error:
        message = f"Redis at {where(client)} cannot be used: {error}"
        raise Unavailable(message) from error
    except redis.ResponseError as error:
        text = str(error)
        if LOST in text:
            raise lost(client) from error
        if text.startswith(("OOM", "MISCONF", "READONLY", "NOREPLICAS", "MASTERDOWN")) or "OOM " in text:
            message = f"Redis at {where(client)} takes no writes: {text}"
            raise Unavailable(message) from error
        if text.startswith(("BUSY", "TRYAGAIN", "CLUSTERDOWN")):
            message = f"Redis at {where(client)} is busy: {text}"
            raise Transient(message) from error
        if text.startswith("NOAUTH") or "WRONGPASS" in text:
            message = f"Redis at {where(client)} refuses us: wrong or missing user or password"
            raise Unavailable(message) from error
        raise
