"""Metrics of the model's own, shown at /metrics with the server's."""

import logging

import modelmill

TEXTS = modelmill.Counter("texts_total", "Texts that were counted.")
WORDS = modelmill.Histogram("text_words", "Words of a text.", buckets=(1, 10, 100, 1000))


@modelmill.on_start
def start():
    logging.getLogger(__name__).info("counting begins")


@modelmill.model(batch=16, output="words")
def counted(text: list[str]) -> list[int]:
    counts = [len(one.split()) for one in text]
    TEXTS.inc(len(counts))
    for count in counts:
        WORDS.observe(count)
    return counts
