"""Folders of Hugging Face: config.json, a tokenizer and weights. Classification of texts here; see embeddings and
generation for the rest. Nothing is downloaded, and code in the folder is not run unless `trust_remote_code` says so."""

import json
import os

from modelmill import api, devices
from modelmill.errors import Error
from modelmill.worker import frames

from .packages import require
from .rows import Rows, field, texts

BATCH = 32
TEXT, PAIR = "text", "text_pair"
_TASKS = {
    "text-classification": "text-classification",
    "embeddings": "embeddings",
    "feature-extraction": "embeddings",
    "sentence-similarity": "embeddings",
    "text-generation": "text-generation",
}


def load(hello):
    os.environ["HF_HUB_OFFLINE"] = "1"
    folder = os.path.dirname(hello["file"])
    require(folder, "torch", "transformers")
    require(folder, "transformers")
    _settle_device(hello)
    task = _task_of(folder)
    if task == "embeddings":
        from .embeddings import serve
    elif task == "text-generation":
        from .generation import serve
    else:
        serve = _serve_classification
    return serve(folder)


def _settle_device(hello):
    import torch

    devices.settle(hello, devices.AUTO if torch.cuda.is_available() else devices.CPU)


def _task_of(folder):
    asked = api.parameter("task")
    if asked:
        if asked not in _TASKS:
            raise Error(f"parameter 'task' is '{asked}'; these are served: {', '.join(_TASKS)}")
        return _TASKS[asked]
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


def read_json(folder, *names):
    """An object in a file of the folder; empty when it is not there."""
    path = os.path.join(folder, *names)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def is_true(parameter):
    return str(api.parameter(parameter, "")).lower() in ("true", "yes", "1")


def load_part(kind, folder, **options):
    """A model or tokenizer: `kind` is the name of one of transformers' Auto classes."""
    import transformers

    options |= {"local_files_only": True, "trust_remote_code": is_true("trust_remote_code")}
    try:
        return getattr(transformers, kind).from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError) as error:
        if "trust_remote_code" in str(error):
            raise Error(f"'{folder}' is code as well; the parameter trust_remote_code: true has it run") from None
        raise Error(f"'{folder}' can't be loaded by {kind}: {error}") from error


def load_model(kind, folder):
    options = {"dtype": api.parameter("dtype")} if api.parameter("dtype") else {}
    return load_part(kind, folder, **options).to(api.device()).eval()


class Tokenizer:
    """Makes the model's inputs of texts, padded to the longest, and cut where the model's reach ends."""

    def __init__(self, folder, config, longest=None):
        self.tokenizer = load_part("AutoTokenizer", folder)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        known = (longest, getattr(config, "max_position_embeddings", None), self.tokenizer.model_max_length)
        reach = [size for size in known if size and size < 1 << 24]
        self.longest = int(api.parameter("max_length", min(reach, default=0))) or None

    def __call__(self, *columns):
        return self.tokenizer(
            *[column.tolist() for column in columns],
            padding=True,
            truncation=self.longest is not None,
            max_length=self.longest,
            return_tensors="pt",
        ).to(api.device())


def _serve_classification(folder):
    import torch

    model = load_model("AutoModelForSequenceClassification", folder)
    config = model.config
    tokenizer = Tokenizer(folder, config)
    config.pad_token_id = tokenizer.tokenizer.pad_token_id
    count = config.num_labels
    labels = [str(config.id2label.get(i, i)) for i in range(count)]
    pair = field(PAIR, frames.STRING)
    pair.optional = True

    def predict(arrays):
        columns = [texts(arrays[name]) for name in (TEXT, PAIR) if name in arrays]
        with torch.inference_mode():
            logits = model(**tokenizer(*columns)).logits.float()
            if config.problem_type == "regression":
                scores = logits
            elif config.problem_type == "multi_label_classification" or count == 1:
                scores = logits.sigmoid()
            else:
                scores = logits.softmax(-1)
        if count == 1:
            return [scores[:, 0]]
        return [[labels[i] for i in logits.argmax(-1).tolist()], scores]

    float32 = frames.NUMBERS["FP32"]
    outputs = (
        [field("score", float32)]
        if count == 1
        else [field("label", frames.STRING), field("probabilities", float32, count)]
    )
    return Rows([field(TEXT, frames.STRING), pair], outputs, predict, BATCH)
