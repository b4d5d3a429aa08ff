"""What all models of Hugging Face's folders are made of: what their files say, weights, tokenizers."""

import json
import os

from modelmill import api
from modelmill.errors import Error

BATCH = 32
TEXT = "text"


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
