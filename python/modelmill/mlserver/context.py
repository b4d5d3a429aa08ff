"""Which model's code is running."""

import contextlib
from contextvars import ContextVar

model_name_var = ContextVar("model_name")
model_version_var = ContextVar("model_version")


@contextlib.contextmanager
def model_context(model_settings):
    name = model_name_var.set(model_settings.name)
    version = model_version_var.set(model_settings.version or "")
    try:
        yield
    finally:
        model_name_var.reset(name)
        model_version_var.reset(version)
