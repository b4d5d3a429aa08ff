"""Errors with the status of HTTP that they are answered with."""


class MLServerError(Exception):
    def __init__(self, msg, status_code=400):
        super().__init__(msg)
        self.status_code = int(status_code)


class InvalidModelURI(MLServerError):
    def __init__(self, name, model_uri=None):
        where = f" ({model_uri})" if model_uri else ""
        super().__init__(f"Invalid URI specified for model {name}{where}", 422)


def _version_text(version):
    return f" with version {version}" if version is not None else ""


class ModelNotFound(MLServerError):
    def __init__(self, name, version=None):
        super().__init__(f"Model {name}{_version_text(version)} not found", 404)


class ModelNotReady(MLServerError):
    def __init__(self, name, version=None):
        super().__init__(f"Model {name}{_version_text(version)} is not ready yet.")


class InferenceError(MLServerError):
    def __init__(self, msg):
        super().__init__(msg)


class ModelParametersMissing(MLServerError):
    def __init__(self, model_name):
        super().__init__(f"Parameters missing for model {model_name}")
