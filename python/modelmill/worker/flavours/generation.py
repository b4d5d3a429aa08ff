"""Texts that a language model goes on with. A worker has one at a time; of a request with `stream` each piece is an
answer of its own."""

import queue
import threading

import numpy as np

from modelmill import api
from modelmill.errors import Error
from modelmill.worker import frames

from .flavour import Flavour
from .huggingface_parts import Tokenizer, load_model, read_json
from .rows import field, texts

_WINDOW = 16  # answers that the server has yet to take
_TOKENS = 256
_INPUT, _OUTPUT = "text_input", "text_output"
# Of a request: name: (as generate() calls it, type, the least).
_PARAMETERS = {
    "max_new_tokens": ("max_new_tokens", int, 1),
    "max_tokens": ("max_new_tokens", int, 1),
    "temperature": ("temperature", float, 0.0),
    "top_p": ("top_p", float, 0.0),
    "top_k": ("top_k", int, 0),
    "repetition_penalty": ("repetition_penalty", float, 0.0),
    "do_sample": ("do_sample", bool, False),
    "seed": ("seed", int, 0),
}


def serve(folder):
    config = read_json(folder, "config.json")
    kind = "AutoModelForSeq2SeqLM" if config.get("is_encoder_decoder") else "AutoModelForCausalLM"
    model = load_model(kind, folder)
    return Generation(model, Tokenizer(folder, model.config))


def options_of(parameters):
    """generate()'s arguments of a request's parameters."""
    out = {}
    for name, value in parameters.items():
        if name not in _PARAMETERS:
            continue
        target, kind, least = _PARAMETERS[name]
        accepted = (int, float) if kind is float else kind
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool) or value < least:
            raise Error(f"parameter '{name}' is {value!r}; it is {_kind_text(kind)}, {least} or more")
        out[target] = kind(value)
    if out.get("temperature") == 0:
        out.pop("temperature")
        out["do_sample"] = False
    elif "temperature" in out:
        out.setdefault("do_sample", True)
    return out


def _kind_text(kind):
    return {int: "a whole number", float: "a number", bool: "true or false"}[kind]


class Generation(Flavour):
    def __init__(self, model, tokenizer):
        self.model, self.tokenizer = model, tokenizer.tokenizer
        self.reach = getattr(model.config, "max_position_embeddings", None)
        self.inputs = [field(_INPUT, frames.STRING, 1)]
        self.outputs = [field(_OUTPUT, frames.STRING, 1)]

    def describe(self):
        return {
            "inputs": [one.describe(False) for one in self.inputs],
            "outputs": [one.describe(False) for one in self.outputs],
            "wants_info": True,
            "decoupled": True,
        }

    def execute(self, batch, serving):
        for arrays, which in batch.parts([_INPUT]):
            try:
                self._answer(
                    batch, serving, which, texts(arrays[_INPUT]).item(), batch.info[which].get("parameters", {})
                )
            except Exception as error:
                serving.fail(batch, which, error)

    def _answer(self, batch, serving, which, text, parameters):
        stop = parameters.get("stop", "")
        if not isinstance(stop, str):
            raise Error(f"parameter 'stop' is {stop!r}; it is the text before which to end")
        pieces = _Pieces(self.model, self.tokenizer, *self._arguments(text, options_of(parameters)))
        streams = parameters.get("stream") is True
        whole, sent = "", 0
        try:
            for piece in pieces:
                whole += piece
                at = whole.find(stop) if stop else -1
                # What may be the beginning of `stop` waits.
                ready = at if at >= 0 else max(len(whole) - max(len(stop) - 1, 0), sent)
                if streams and ready > sent:
                    serving.wait_until(lambda: batch.unacknowledged[which] < _WINDOW or which in batch.cancelled)
                    self._send(batch, which, whole[sent:ready], final=False)
                    sent = ready
                if at >= 0:
                    whole = whole[:at]
                    break
                if serving.is_cancelled(batch, which):
                    break
        finally:
            pieces.close()
        if not streams or len(whole) > sent:
            self._send(batch, which, whole[sent:], final=True)
        else:
            batch.finish(which)

    def _send(self, batch, which, text, final):
        batch.answer(which, [0], [np.array([text], object)], final=final)

    def _arguments(self, text, options):
        """(tokens, generate()'s arguments)."""
        tokens = self.tokenizer([text], return_tensors="pt").to(api.device())
        used = tokens["input_ids"].shape[1]
        if not used:
            raise Error(f"input '{_INPUT}' is empty")
        options.setdefault("max_new_tokens", int(api.parameter("max_new_tokens", _TOKENS)))
        if self.reach and not self.model.config.is_encoder_decoder:
            if used >= self.reach:
                raise Error(f"input '{_INPUT}' has {used} tokens; the model takes {self.reach - 1} at most")
            options["max_new_tokens"] = min(options["max_new_tokens"], self.reach - used)
        options.setdefault("pad_token_id", self.tokenizer.pad_token_id)
        return tokens, options


class _Pieces:
    """Texts as they are made, by a thread that ends with close()."""

    def __init__(self, model, tokenizer, tokens, options):
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList, TextStreamer

        made = self._made = queue.SimpleQueue()
        self._closed = closed = threading.Event()

        class Streamer(TextStreamer):
            def on_finalized_text(self, text, stream_end=False):
                made.put(text)

        class Closed(StoppingCriteria):
            def __call__(self, input_ids, scores, **more):
                return torch.full((input_ids.shape[0],), closed.is_set(), dtype=torch.bool, device=input_ids.device)

        streamer = Streamer(tokenizer, skip_prompt=not model.config.is_encoder_decoder, skip_special_tokens=True)
        seed = options.pop("seed", None)

        def run():
            try:
                if seed is not None:
                    torch.manual_seed(seed)
                with torch.inference_mode():
                    model.generate(
                        **tokens, **options, streamer=streamer, stopping_criteria=StoppingCriteriaList([Closed()])
                    )
                made.put(None)
            except BaseException as error:
                made.put(error)

        self._thread = threading.Thread(target=run, name="modelmill generation")
        self._thread.start()

    def __iter__(self):
        while (piece := self._made.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            if piece:
                yield piece

    def close(self):
        self._closed.set()
        self._thread.join()
