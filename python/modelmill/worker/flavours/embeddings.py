"""Embeddings of texts: with what modules.json of sentence-transformers says, else the mean of the last layer."""

import os

import numpy as np

from modelmill import api
from modelmill.errors import Error
from modelmill.worker import frames

from .huggingface_parts import BATCH, TEXT, Tokenizer, is_true, load_model, read_json
from .rows import Rows, field, texts

# Of 1_Pooling/config.json, in the order in which they are put together.
_MODES = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_ACTIVATIONS = {"Identity", "Tanh", "ReLU", "GELU", "Sigmoid", "SiLU"}


def serve(folder):
    import torch

    modules = _modules_of(folder)
    inner = os.path.join(folder, modules[0][1])
    model = load_model("AutoModel", inner)
    about = read_json(inner, "sentence_bert_config.json")
    tokenizer = Tokenizer(inner, model.config, about.get("max_seq_length"))
    steps = [_STEPS[kind](path and os.path.join(folder, path)) for kind, path in modules[1:]]
    told = read_json(folder, "config_sentence_transformers.json")
    prompt = (told.get("prompts") or {}).get(api.parameter("prompt_name", told.get("default_prompt_name") or ""), "")

    def embed(column):
        if prompt or about.get("do_lower_case"):
            column[:] = [prompt + (text.lower() if about.get("do_lower_case") else text) for text in column]
        with torch.inference_mode():
            tokens = tokenizer(column)
            value = model(**tokens).last_hidden_state.float()
            for step in steps:
                value = step(value, tokens["attention_mask"])
        return [value.cpu().numpy(), tokens["attention_mask"].sum(1).cpu().numpy()]

    size = embed(np.array(["a"], object))[0].shape[1]
    outputs = [field("embedding", frames.NUMBERS["FP32"], size), field("token_count", frames.NUMBERS["INT64"])]
    return Rows([field(TEXT, frames.STRING)], outputs, lambda arrays: embed(texts(arrays[TEXT])), BATCH, extra=1)


def _modules_of(folder):
    """[(kind, path)]: a Transformer, and what comes after it."""
    listed = read_json(folder, "modules.json")
    if not listed:
        return [("Transformer", ""), ("Pooling", None), *([("Normalize", "")] if is_true("normalize") else [])]
    modules = [(one["type"].rpartition(".")[2], one["path"]) for one in listed]
    unknown = [kind for kind, _ in modules[1:] if kind not in _STEPS]
    if modules[0][0] != "Transformer" or unknown:
        raise Error(
            f"modules.json of '{folder}' has {', '.join(kind for kind, _ in modules)}; a Transformer first, then "
            f"{', '.join(_STEPS)} are served"
        )
    return modules


class _Pooling:
    def __init__(self, folder):
        self.modes = [api.parameter("pooling", "mean")]
        if folder is not None:
            told = read_json(folder, "config.json")
            mode = told.get("pooling_mode")
            named = [mode] if isinstance(mode, str) else mode
            self.modes = named or [mode for mode, key in _MODES.items() if told.get(key)]
        unknown = [mode for mode in self.modes if mode not in _MODES]
        if unknown or not self.modes:
            raise Error(f"pooling is {', '.join(self.modes) or 'none'}; it is one of {', '.join(_MODES)}")

    def __call__(self, value, mask):
        import torch

        weights = mask.unsqueeze(-1).to(value.dtype)
        count = weights.sum(1).clamp(min=1e-9)
        pooled = []
        for mode in self.modes:
            if mode == "cls":
                pooled.append(value[:, 0])
            elif mode == "max":
                pooled.append(value.masked_fill(weights == 0, -1e9).amax(1))
            elif mode == "lasttoken":
                at = mask.shape[1] - 1 - mask.flip(1).argmax(1)
                pooled.append(value[torch.arange(len(value)), at])
            elif mode == "weightedmean":
                rising = weights * torch.arange(1, mask.shape[1] + 1, device=value.device).view(1, -1, 1)
                pooled.append((value * rising).sum(1) / rising.sum(1).clamp(min=1e-9))
            else:
                total = (value * weights).sum(1)
                pooled.append(total / (count if mode == "mean" else count.sqrt()))
        return torch.cat(pooled, 1)


class _Normalize:
    def __init__(self, folder):
        pass

    def __call__(self, value, mask):
        import torch

        return torch.nn.functional.normalize(value, dim=1)


class _Dense:
    def __init__(self, folder):
        import torch
        from safetensors.torch import load_file

        told = read_json(folder, "config.json")
        activation = told.get("activation_function", "torch.nn.modules.linear.Identity").rpartition(".")[2]
        path = os.path.join(folder, "model.safetensors")
        if activation not in _ACTIVATIONS or not os.path.exists(path):
            raise Error(
                f"'{folder}' needs model.safetensors and one of the activations {', '.join(sorted(_ACTIVATIONS))}"
            )
        state = load_file(path, device=api.device())
        self.weight, self.bias = state["linear.weight"].float(), state.get("linear.bias")
        self.activation = getattr(torch.nn, activation)()

    def __call__(self, value, mask):
        import torch

        return self.activation(torch.nn.functional.linear(value, self.weight, self.bias))


_STEPS = {"Pooling": _Pooling, "Normalize": _Normalize, "Dense": _Dense}
