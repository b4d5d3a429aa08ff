"""Folders of Hugging Face: config.json, a tokenizer and weights, served for one of three tasks. Nothing is
downloaded, and code in the folder is not run unless `trust_remote_code` says so."""

import os

from modelmill import api, devices
from modelmill.errors import Error

from . import classification, embeddings, generation
from .huggingface_parts import read_json
from .packages import require

_TASKS = {
    "text-classification": classification,
    "embeddings": embeddings,
    "feature-extraction": embeddings,
    "sentence-similarity": embeddings,
    "text-generation": generation,
}


def load(hello):
    os.environ["HF_HUB_OFFLINE"] = "1"
    folder = os.path.dirname(hello["file"])
    require(folder, "torch", "transformers")
    require(folder, "transformers")
    _settle_device(hello)
    return _TASKS[_task_of(folder)].serve(folder)


def _settle_device(hello):
    import torch

    devices.settle(hello, devices.AUTO if torch.cuda.is_available() else devices.CPU)


def _task_of(folder):
    asked = api.parameter("task")
    if asked:
        if asked not in _TASKS:
            raise Error(f"parameter 'task' is '{asked}'; these are served: {', '.join(_TASKS)}")
        return asked
    if os.path.exists(os.path.join(folder, "modules.json")):
        return "embeddings"
    architecture = (read_json(folder, "config.json").get("architectures") or ["Model"])[0]
    if architecture.endswith("ForSequenceClassification"):
        return "text-classification"
    if architecture.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")):
        return "text-generation"
    if architecture.endswith(("Model", "ForMaskedLM")):
        return "embeddings"
    raise Error(
        f"'{folder}' is {architecture}; without code text classification, embeddings and text generation are served. "
        f"The parameter 'task' chooses one ({', '.join(_TASKS)}), or serve it with a file of Python code"
    )
