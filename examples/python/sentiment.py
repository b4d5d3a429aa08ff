"""Text in, and two outputs, which are named by the class that is returned."""

from typing import NamedTuple

import modelmill

GOOD, BAD = {"good", "great", "love", "fine"}, {"bad", "poor", "hate", "awful"}


class Sentiment(NamedTuple):
    label: str
    score: float


@modelmill.model
def sentiment(text: str) -> Sentiment:
    if not text.strip():
        raise modelmill.Error("text is empty", code="INVALID_ARGUMENT")
    words = text.lower().split()
    score = sum(word in GOOD for word in words) - sum(word in BAD for word in words)
    return Sentiment("positive" if score > 0 else "negative" if score < 0 else "neutral", score / len(words))
