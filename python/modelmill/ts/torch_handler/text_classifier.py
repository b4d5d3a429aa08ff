import torch

from ts.utils.util import map_class_to_label

from .text_handler import TextHandler


class TextClassifier(TextHandler):
    """The model takes the numbers of all tokens, those of one text after the other's, and where each text begins, as
    torch.nn.EmbeddingBag does. Answers {label: probability}."""

    ngrams = 2

    def preprocess(self, data):
        texts = [self._tokens(self.read(row)) for row in data]
        offsets, total = [], 0
        for text in texts:
            offsets.append(total)
            total += len(text)
        numbers = [self.number_of(token) for text in texts for token in text]
        return torch.tensor(numbers, dtype=torch.int64), torch.tensor(offsets, dtype=torch.int64)

    def _tokens(self, text):
        text = self._expand_contractions(self._remove_html_tags(text).lower())
        words = self._tokenize(self._remove_punctuation(self._remove_accented_characters(text)))
        longer = (words[at : at + n] for n in range(2, self.ngrams + 1) for at in range(len(words) - n + 1))
        return words + [" ".join(part) for part in longer]

    def inference(self, data, *args, **kwargs):
        numbers, offsets = data
        return super().inference(numbers, offsets.to(self.device))

    def postprocess(self, data):
        return map_class_to_label(torch.nn.functional.softmax(data, dim=1).tolist(), self.mapping)
