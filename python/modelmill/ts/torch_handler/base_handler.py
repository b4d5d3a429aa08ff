"""The handler that others extend: loads the model, and handles a batch in three steps."""

import abc
import importlib
import json
import logging
import os
import time

import torch

from ts.utils.util import list_classes_from_module, load_label_mapping

log = logging.getLogger(__name__)


class BaseHandler(abc.ABC):  # noqa: B024
    """`initialize` loads what the manifest names: weights for the one class in modelFile, TorchScript, an exported
    program (.pt2) or ONNX."""

    def __init__(self):
        self.model = self.mapping = self.device = self.context = self.manifest = self.model_pt_path = None
        self.map_location, self.initialized, self.explain, self.target = "cpu", False, False, 0
        self.model_yaml_config = {}

    def initialize(self, context):
        self.context, self.manifest = context, context.manifest
        self.model_yaml_config = context.model_yaml_config or {}
        properties = context.system_properties
        model_dir, gpu = properties.get("model_dir"), properties.get("gpu_id")
        self.map_location = "cuda" if gpu is not None and torch.cuda.is_available() else "cpu"
        self.device = torch.device(f"cuda:{gpu}" if self.map_location == "cuda" else "cpu")
        described = self.manifest["model"]
        serialized = described.get("serializedFile")
        self.model_pt_path = os.path.join(model_dir, serialized) if serialized else None
        if model_file := described.get("modelFile"):
            self.model = self._load_pickled_model(model_dir, model_file, self.model_pt_path)
        elif self.model_pt_path is None:
            raise RuntimeError("the archive has neither a serializedFile nor a modelFile, so there is no model to load")
        elif self.model_pt_path.endswith(".onnx"):
            self.model = _OnnxModel(self.model_pt_path)
        elif self.model_pt_path.endswith(".pt2"):
            self.model = torch.export.load(self.model_pt_path).module()
        else:
            self.model = self._load_torchscript_model(self.model_pt_path)
        if isinstance(self.model, torch.nn.Module):
            self.model.to(self.device)
            if not self.model_pt_path or not self.model_pt_path.endswith(".pt2"):
                self.model.eval()
        self._compile()
        self.mapping = load_label_mapping(os.path.join(model_dir, "index_to_name.json"))
        self.initialized = True

    def _load_pickled_model(self, model_dir, model_file, model_pt_path):
        module = importlib.import_module(os.path.splitext(os.path.basename(model_file))[0])
        classes = list_classes_from_module(module, torch.nn.Module) or list_classes_from_module(module)
        if len(classes) != 1:
            names = ", ".join(found.__name__ for found in classes) or "none"
            raise ValueError(f"{model_file} must define one class of a model; it has {names}")
        model = classes[0]()
        if model_pt_path:
            model.load_state_dict(torch.load(model_pt_path, map_location=self.device))
        return model

    def _load_torchscript_model(self, model_pt_path):
        return torch.jit.load(model_pt_path, map_location=self.device)

    def _compile(self):
        """As model-config.yaml says: `pt2: inductor`, or `pt2: {compile: {enable: true, backend: ...}}`."""
        said = self.model_yaml_config.get("pt2")
        if isinstance(said, str):
            options = {"backend": said}
        else:
            options = dict((said or {}).get("compile") or {})
            if not options.pop("enable", False):
                return
        if isinstance(self.model, torch.jit.ScriptModule):
            log.warning("'pt2' of model-config.yaml is for eager models, so this TorchScript is run as it is")
            return
        self.model = torch.compile(self.model, **options)

    def preprocess(self, data):
        """A tensor of the batch: of numbers, or of requests whose bodies are JSON arrays of numbers."""
        return torch.as_tensor([_numbers(row) for row in data], device=self.device)

    def inference(self, data, *args, **kwargs):
        with torch.inference_mode():
            if isinstance(data, torch.Tensor):
                data = data.to(self.device)
            return self.model(data, *args, **kwargs)

    def postprocess(self, data):
        return data.tolist()

    def handle(self, data, context):
        begin = time.perf_counter()
        self.context = context
        if self._is_describe():
            output = [self.describe_handle()]
        else:
            prepared = self.preprocess(data)
            if self._is_explain():
                output = self.explain_handle(prepared, data)
            else:
                output = self.postprocess(self.inference(prepared))
        context.metrics.add_time("HandlerTime", round((time.perf_counter() - begin) * 1000, 2), None, "ms")
        return output

    def explain_handle(self, data_preprocess, raw_data):
        """Calls get_insights(prepared data, the first request's body, the class that it asks about)."""
        row = raw_data[0] if isinstance(raw_data[0], dict) else {"body": raw_data[0]}
        inputs, target = row.get("data") or row.get("body"), row.get("target") or 0
        if not hasattr(self, "get_insights"):
            raise NotImplementedError(f"{type(self).__name__} explains nothing: it has no method get_insights")
        return self.get_insights(data_preprocess, inputs, target)

    def _is_explain(self):
        self.explain = bool(self.context) and self.context.get_request_header(0, "explain") == "True"
        return self.explain

    def _is_describe(self):
        return bool(self.context) and self.context.get_request_header(0, "describe") == "True"

    def describe_handle(self):
        """For subclasses: a dictionary that GET /models/MODEL?customized=true adds to the model's description."""
        return None

    def get_device(self):
        return self.device


class _OnnxModel:
    """Called as a module is: one tensor in, the first output out."""

    def __init__(self, path):
        import onnxruntime

        self.session = onnxruntime.InferenceSession(path)
        self.name = self.session.get_inputs()[0].name

    def __call__(self, data):
        return torch.from_numpy(self.session.run(None, {self.name: data.cpu().numpy()})[0])


def _numbers(row):
    value = row
    if isinstance(row, dict):
        value = row["data"] if row.get("data") is not None else row.get("body")
    if isinstance(value, (bytes, bytearray, str)):
        value = json.loads(value)
    return value["data"] if isinstance(value, dict) and "data" in value else value
