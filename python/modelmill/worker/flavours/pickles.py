"""Objects in files of pickle, cloudpickle and joblib. Reading one runs whatever code it names."""

import mmap
import os
import pickle
import re
import sys
import zlib

from modelmill.errors import Error

from .packages import missing, package_of, require

_JOBLIB_MARK = b"joblib.numpy_pickle"
_VERSION = re.compile(rb"_sklearn_version.{1,8}?(\d+\.\d+(?:\.\d+)?)", re.DOTALL)


def load(path):
    """The object of a file. Modules beside it can be imported."""
    try:
        joblib, version = _look(path)
    except OSError as error:
        raise Error(f"'{path}' can't be read: {error.strerror}") from None
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    try:
        if joblib:
            return require(path, "joblib").load(path)
        with open(path, "rb") as file:
            return pickle.load(file)
    except ModuleNotFoundError as error:
        package = package_of(error.name or "")
        if package == "scikit-learn" and version:
            package += f"=={version}"
        raise missing(path, package) from None
    except AttributeError as error:
        hint = "what it names must be in modules that can be imported, not in the script that wrote it"
        raise Error(f"'{path}' can't be read: {error}; {hint}") from None
    except (pickle.UnpicklingError, EOFError, IndexError, KeyError, ValueError, zlib.error) as error:
        raise Error(f"'{path}' is no pickle that can be read: {error}") from None


def _look(path):
    """(joblib has to read it, the version of scikit-learn that wrote it, if it tells)."""
    if os.path.getsize(path) == 0:
        raise Error(f"'{path}' is empty")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        packed = data[0] not in b"\x80(c"  # what pickles of protocol 2 and later, 0 and 1 begin with
        found = _VERSION.search(data)
        return packed or data.find(_JOBLIB_MARK) >= 0, found and found.group(1).decode()
