"""What a handler is told of its model and of the requests in a batch."""

import os


class _Headers(dict):
    """Names in any case."""

    def __init__(self, items=()):
        super().__init__({name.lower(): value for name, value in dict(items).items()})

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __setitem__(self, name, value):
        super().__setitem__(name.lower(), value)

    def __contains__(self, name):
        return super().__contains__(name.lower())

    def get(self, name, default=None):
        return super().get(name.lower(), default)


class RequestProcessor:
    """One request's headers, and those of its answer with the status."""

    def __init__(self, request_header):
        self._request, self._response = _Headers(request_header), _Headers()
        self._status, self._phrase = 200, None

    def get_request_property(self, key):
        return self._request.get(key)

    def get_request_properties(self):
        return self._request

    def report_status(self, code, reason_phrase=None):
        self._status, self._phrase = code, reason_phrase

    def get_response_status_code(self):
        return self._status

    def get_response_status_phrase(self):
        return self._phrase

    def add_response_property(self, key, value):
        self._response[key] = value

    def get_response_headers(self):
        return self._response

    def get_response_header(self, key):
        return self._response.get(key)


class Context:
    """One for each worker. `idx` is the number of a request in the batch that is handled at the moment."""

    def __init__(self, model_name, model_dir, manifest, batch_size, gpu_id, metrics, model_yaml_config=None):
        self.model_name, self.manifest = model_name, manifest
        self.model_yaml_config = model_yaml_config or {}
        self._system_properties = {
            "model_dir": model_dir, "gpu_id": gpu_id, "batch_size": batch_size, "server_name": "modelmill",
            "server_version": "0.12.0", "limit_max_image_pixels": True,
        }  # fmt: skip
        self._metrics = metrics
        self.request_ids = {}
        self.request_processor = [RequestProcessor({})]
        self.stopping_criteria = None
        for what in ("id", "start", "end"):
            name = f"ts_request_sequence_{what}"
            setattr(self, f"header_key_sequence_{what}", os.environ.get(name.upper()) or name)
        self.stream = None  # set by the worker: sends an intermediate answer

    @property
    def system_properties(self):
        return self._system_properties

    @property
    def metrics(self):
        return self._metrics

    @metrics.setter
    def metrics(self, metrics):
        self._metrics = metrics

    def get_request_id(self, idx=0):
        return self.request_ids.get(idx)

    def get_request_header(self, idx, key):
        return self.request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx):
        return self.request_processor[idx].get_request_properties()

    def get_sequence_id(self, idx):
        return self.get_request_header(idx, self.header_key_sequence_id)

    def set_response_content_type(self, idx, value):
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx):
        return self.get_response_headers(idx).get("content-type")

    def set_response_header(self, idx, key, value):
        self.request_processor[idx].add_response_property(key, value)

    def get_response_headers(self, idx):
        return self.request_processor[idx].get_response_headers()

    def set_response_status(self, code=200, phrase="", idx=0):
        self.request_processor[idx].report_status(code, phrase)

    def set_all_response_status(self, code=200, phrase=""):
        for processor in self.request_processor:
            processor.report_status(code, phrase)

    def get_response_status(self, idx):
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()
