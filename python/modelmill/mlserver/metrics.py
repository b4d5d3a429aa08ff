"""Metrics of a model's own; the worker puts its functions in the place of these."""

from . import log, register

__all__ = ["log", "register"]
