"""When a call to a server is tried again, for every warehouse alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from etl_assets.io_managers.errors import NoRoom, Unavailable

Result = TypeVar("Result")


def retried(call: Callable[[], Result], for_s: float) -> Result:
    """What `call` returns; Unavailable is tried again for `for_s` seconds, 0 for never.

    Exponential waits with jitter, so that the writers of a server that restarts do not all knock at once.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(Unavailable) & retry_if_not_exception_type(NoRoom),
        stop=stop_after_delay(for_s) if for_s else stop_after_attempt(1),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        reraise=True,
    )
    result: Result = retrying(call)
    return result
