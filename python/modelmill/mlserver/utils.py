"""Where a model's file is, and other helpers of MLServer's."""

import asyncio
import os
import urllib.parse
import uuid

from .errors import InvalidModelURI
from .types import Parameters


async def get_model_uri(settings, wellknown_filenames=()):
    """The path of `parameters.uri`, relative ones from model-settings.json on; of a folder the first of the names that it
    has, else itself. A URL of another kind than file: is given as it is."""
    uri = settings.parameters.uri if settings.parameters else None
    if not uri:
        raise InvalidModelURI(settings.name)
    parts = urllib.parse.urlparse(uri, scheme="file")
    if parts.scheme != "file":
        return uri
    path = to_absolute_path(settings, parts.path)
    if os.path.isfile(path):
        return path
    if not os.path.isdir(path):
        raise InvalidModelURI(settings.name, path)
    inside = (os.path.join(path, name) for name in wellknown_filenames)
    return next(filter(os.path.isfile, inside), path)


def to_absolute_path(model_settings, uri):
    source = model_settings._source
    return uri if source is None else os.path.normpath(os.path.join(os.path.dirname(source), uri))


def get_wrapped_method(function):
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def generate_uuid():
    return str(uuid.uuid4())


def insert_headers(inference_request, headers):
    if inference_request.parameters is None:
        inference_request.parameters = Parameters()
    inference_request.parameters.headers = headers
    return inference_request


def extract_headers(inference_response):
    parameters = inference_response.parameters
    if parameters is None or parameters.headers is None:
        return None
    headers, parameters.headers = parameters.headers, None
    return headers


def schedule_with_callback(coroutine, callback):
    task = asyncio.create_task(coroutine)
    task.add_done_callback(callback)
    return task
