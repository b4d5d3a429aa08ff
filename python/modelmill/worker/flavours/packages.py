"""The libraries that built-in flavours need, and what to do when the interpreter has not got them."""

import importlib
import sys

from modelmill.errors import Error

_PACKAGES = {"sklearn": "scikit-learn", "yaml": "pyyaml", "PIL": "pillow", "cv2": "opencv-python-headless"}


def package_of(module):
    """What pip calls the package of a module."""
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top)


def missing(what, *packages):
    """The Error of a file or folder whose packages are not there."""
    names = " and ".join(f"'{package.partition('=')[0]}'" for package in packages)
    return Error(
        f"'{what}' needs the package {names}, which {sys.executable} does not have; "
        f"{sys.executable} -m pip install {' '.join(packages)}",
        code="FAILED_PRECONDITION",
    )


def require(what, module, *more):
    """The module, imported for a file or folder. `more`: packages that belong with it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = (error.name or module).partition(".")[0]
        raise missing(what, package_of(top), *more) from None
