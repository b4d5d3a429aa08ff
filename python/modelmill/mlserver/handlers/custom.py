"""Methods that are marked to be served at a path of their own. They are found, and not served."""

import dataclasses
import inspect

_MARK = "__custom_handler__"


@dataclasses.dataclass
class CustomHandler:
    rest_path: str
    rest_method: str = "POST"


def custom_handler(rest_path, rest_method="POST"):
    def mark(method):
        register_custom_handler(CustomHandler(rest_path, rest_method), method)
        return method

    return mark


def register_custom_handler(handler, method):
    setattr(method, _MARK, handler)


def get_custom_handlers(model):
    methods = (method for _, method in inspect.getmembers(model, callable))
    return [(getattr(method, _MARK), method) for method in methods if hasattr(method, _MARK)]
