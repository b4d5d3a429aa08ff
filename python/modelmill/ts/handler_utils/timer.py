import functools
import time


def timed(function):
    """Shows how long a handler's method took as the metric ts_handler_NAME, in ms, if the handler has a context."""

    @functools.wraps(function)
    def run(self, *args, **kwargs):
        begin = time.perf_counter()
        try:
            return function(self, *args, **kwargs)
        finally:
            context = getattr(self, "context", None)
            if context is not None and context.metrics is not None:
                took = (time.perf_counter() - begin) * 1000
                context.metrics.add_time(f"ts_handler_{function.__name__}", round(took, 2), None, "ms")

    return run
