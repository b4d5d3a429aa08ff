"""Many answers to one request, each sent when it is made: a function that yields."""

from collections.abc import Iterator

import modelmill


@modelmill.model(output="token")
def tokens(text: str, request: modelmill.Request) -> Iterator[str]:
    most = request.parameters.get("max_tokens", 100)
    for number, word in enumerate(text.split()):
        if number == most:
            return
        yield word
