"""Takes bodies out of the form that clients send them in, and puts answers into it."""

import json


class BaseEnvelope:
    """`handle` is called in place of the handler's."""

    def __init__(self, handle_fn):
        self._handle_fn = handle_fn
        self.context = None

    def handle(self, data, context):
        self.context = context
        results = self._handle_fn(self.parse_input(data), context)
        return self.format_output(results)

    def parse_input(self, data):
        return data

    def format_output(self, data):
        return data


def body_of(row):
    """A request's body, parsed if it is the text of JSON."""
    body = row if not isinstance(row, dict) else row.get("data") or row.get("body") or row
    return json.loads(body) if isinstance(body, (bytes, bytearray, str)) else body


class Lists(BaseEnvelope):
    """Requests with a list each, which the handler gets as one batch."""

    key = ""  # of the list

    def parse_input(self, data):
        bodies = [body_of(row) for row in data]
        for body in bodies:
            if not isinstance(body, dict) or not isinstance(body.get(self.key), list):
                from modelmill.errors import Error

                raise Error(f'the body must be a JSON object {{"{self.key}": [...]}}')
        self._lengths = [len(body[self.key]) for body in bodies]
        return [item for body in bodies for item in body[self.key]]

    def split(self, results):
        """The results of each request."""
        if len(results) != sum(self._lengths):
            raise ValueError(f"the handler gave {len(results)} results to {sum(self._lengths)} {self.key}")
        at = 0
        for length in self._lengths:
            yield results[at : at + length]
            at += length
