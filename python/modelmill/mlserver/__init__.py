"""What classes derived from MLServer's MLModel import, where its own package is not installed: its names and what its
documentation says of them, on numpy alone. What is not here needs MLServer itself, which is then used instead."""

from .model import MLModel
from .settings import ModelSettings, Settings

__version__ = "1.7.1"  # whose contract this is
__modelmill__ = True


def register(name, description):
    raise RuntimeError("there is no server to register a metric with")  # the worker has its own


def log(**metrics):
    raise RuntimeError("there is no server to log metrics to")


__all__ = ["MLModel", "ModelSettings", "Settings", "__version__", "log", "register"]
