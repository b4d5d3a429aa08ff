"""A model's own word on whether it is ready, beside that of its process."""

import asyncio
import concurrent.futures
import inspect
import logging
import threading
import time

from . import session
from .serving import wait

_EVERY, _PATIENCE = 1, 5  # seconds
log = logging.getLogger("modelmill")


def watch(is_ready):
    """Asks `is_ready`, which may be async, again and again on a thread of its own, and tells the server what has changed.
    Returns after the first answer."""
    asked = threading.Event()
    threading.Thread(target=_run, args=(is_ready, asked), daemon=True, name="modelmill readiness").start()
    asked.wait()


def _run(is_ready, asked):
    said, answer = "", None
    with concurrent.futures.ThreadPoolExecutor(1, "modelmill is_ready") as one_at_a_time:
        while True:
            answer = answer or one_at_a_time.submit(_doubt, is_ready)
            try:
                doubt, answer = answer.result(_PATIENCE), None
            except concurrent.futures.TimeoutError:
                doubt = f"is_ready() has not returned for {_PATIENCE} s"
            if doubt != said:
                (log.warning if doubt else log.info)("%s", doubt or "is_ready() returned True again")
                session.session.doubt(doubt)
            said = doubt
            asked.set()
            time.sleep(_EVERY)


def _doubt(is_ready):
    try:
        said = is_ready()
        if inspect.isawaitable(said):
            said = asyncio.run(wait(said))
    except Exception as error:
        return f"is_ready() raised {type(error).__name__}: {error}"
    if not isinstance(said, bool):
        return f"is_ready() returned {type(said).__name__}, not bool"
    return "" if said else "is_ready() returned False"
