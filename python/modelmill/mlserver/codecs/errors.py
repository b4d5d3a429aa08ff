"""What codecs raise."""

from ..errors import MLServerError


class CodecNotFound(MLServerError):
    def __init__(self, name=None, payload_type=None, is_input=False, is_request=False):
        side = ("input request" if is_request else "input field") if is_input else (
            "output response" if is_request else "output field"
        )  # fmt: skip
        about = [f"name '{name}'"] if name else []
        about += [f"type {payload_type}"] if payload_type else []
        super().__init__(f"Codec not found for {side} with {' and '.join(about) or 'no name'}")


class CodecError(MLServerError):
    def __init__(self, msg):
        super().__init__(f"There was an error encoding / decoding the payload: {msg}")


class OutputNotFound(MLServerError):
    def __init__(self, output_idx, output_type, output_hints):
        expected = ", ".join(f"'{hint}'" for hint in output_hints)
        super().__init__(
            f"Unexpected output value at position '{output_idx}' ({output_type}). Expected outputs are {expected} outputs."
        )


class InputsNotFound(MLServerError):
    def __init__(self, inputs, input_hints):
        names = ", ".join(f"'{one.name}'" for one in inputs)
        known = ", ".join(f"'{name}'" for name in input_hints)
        super().__init__(f"Input {names} was not found. Available inputs are {known}.")
