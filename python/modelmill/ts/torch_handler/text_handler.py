"""What the handlers of texts share."""

import os
import re
import string
import unicodedata

import torch

from .base_handler import BaseHandler

_TAG = re.compile(r"<.*?>")
_SHORT = (
    (r"\bwon['’]t\b", "will not"), (r"\bcan['’]t\b", "cannot"), (r"\bshan['’]t\b", "shall not"), (r"n['’]t\b", " not"),
    (r"['’]re\b", " are"), (r"['’]ll\b", " will"), (r"['’]ve\b", " have"), (r"['’]m\b", " am"),
    (r"\blet['’]s\b", "let us"),
)  # fmt: skip
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class TextHandler(BaseHandler):
    """`source_vocab` is the number of each token: source_vocab.pt of the archive, a dictionary or torchtext's Vocab."""

    def initialize(self, context):
        super().initialize(context)
        path = os.path.join(context.system_properties["model_dir"], self.get_source_vocab_path(context))
        if not os.path.isfile(path):
            raise FileNotFoundError(f"{path} is missing; pack it with --extra-files")
        # The archive's code is run anyway, so its pickles are as trusted.
        self.source_vocab = torch.load(path, map_location="cpu", weights_only=False)

    def get_source_vocab_path(self, context):
        return "source_vocab.pt"

    def get_word_token(self, input_tokens):
        return [str(token) for token in input_tokens]

    def read(self, row):
        text = row.get("data") or row.get("body") or ""
        if isinstance(text, dict):
            text = text.get("data") or text.get("text") or ""
        return text.decode() if isinstance(text, (bytes, bytearray)) else str(text)

    def _remove_html_tags(self, text):
        return _TAG.sub("", text)

    def _expand_contractions(self, text):
        for short, long in _SHORT:
            text = re.sub(short, long, text, flags=re.IGNORECASE)
        return text

    def _remove_accented_characters(self, text):
        return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()

    def _remove_punctuation(self, text):
        return text.translate(_PUNCTUATION)

    def _tokenize(self, text):
        return text.lower().split()

    def number_of(self, token):
        """Of an unknown token as well, if the vocabulary has one for them."""
        vocab = self.source_vocab
        if not hasattr(vocab, "get"):
            return vocab[token]
        number = vocab.get(token, vocab.get("<unk>"))
        if number is None:
            raise ValueError(f"the vocabulary has neither '{token}' nor '<unk>'")
        return number
