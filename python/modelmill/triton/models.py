"""Loading of other models."""

from modelmill.errors import Error
from modelmill.worker import frames
from modelmill.worker import session as _worker

from .errors import TritonModelException

_PREFIX = "file:"


def load_model(model_name, config="", files=None):
    """Loads a model, or loads it again; returns when it is served.

    `config`: a configuration as JSON in the place of the model's own. `files`: {"file:1/model.onnx": bytes}, the model's
    folder in the place of the repository's; it needs `config`. Raises TritonModelException.
    """
    if files is not None and not isinstance(files, dict):
        raise TritonModelException(
            f"failed to load model '{model_name}', files should be a dictionary of file paths and file contents"
        )
    given = {}
    for path, content in (files or {}).items():
        if not isinstance(path, str) or not path.startswith(_PREFIX) or not isinstance(content, (bytes, bytearray)):
            raise TritonModelException(
                f"failed to load model '{model_name}', files are bytes by paths such as 'file:1/model.onnx', not "
                f"{type(content).__name__} by {path!r}"
            )
        given[path[len(_PREFIX) :]] = bytes(content)
    _ask(lambda session: session.change_model(frames.LOAD, model_name, config or "", given))


def unload_model(model_name, unload_dependents=False):
    """Takes a model from its clients; it goes with its last request. With `unload_dependents` an ensemble's members go
    too that are loaded for it alone. Raises TritonModelException."""
    action = frames.UNLOAD_WITH_MEMBERS if unload_dependents else frames.UNLOAD
    _ask(lambda session: session.change_model(action, model_name))


def is_model_ready(model_name, model_version=""):
    """Whether a model can be asked now. Raises TritonModelException for a version that is no number."""
    version = 0
    if model_version:
        try:
            version = int(model_version)
        except (TypeError, ValueError):
            version = -1
        if version < 0:
            raise TritonModelException(
                f"failed to get model version from specified version string '{model_version}', version should be an "
                "integral value > 0"
            )
    return _ask(lambda session: session.is_model_ready(model_name, version))


def _ask(ask):
    if _worker.session is None:
        raise RuntimeError("other models are loaded by a model that a server runs")
    try:
        return ask(_worker.session)
    except Error as error:
        raise TritonModelException(str(error)) from None
