"""Codecs of one tensor, codecs of whole requests, and the list of both."""

from ..logging import logger


class InputCodec:
    """Of one input or output."""

    ContentType = ""
    TypeHint = type(None)

    @classmethod
    def can_encode(cls, payload):
        return False

    @classmethod
    def encode_output(cls, name, payload, **kwargs):
        raise NotImplementedError()

    @classmethod
    def decode_output(cls, response_output):
        raise NotImplementedError()

    @classmethod
    def encode_input(cls, name, payload, **kwargs):
        raise NotImplementedError()

    @classmethod
    def decode_input(cls, request_input):
        raise NotImplementedError()

    @classmethod
    def encode(cls, name, payload):
        """The old name of encode_output()."""
        return cls.encode_output(name, payload)

    @classmethod
    def decode(cls, request_input):
        """The old name of decode_input()."""
        return cls.decode_input(request_input)


class RequestCodec:
    """Of all inputs or outputs together."""

    ContentType = ""
    TypeHint = type(None)

    @classmethod
    def can_encode(cls, payload):
        return False

    @classmethod
    def encode_response(cls, model_name, payload, model_version=None, **kwargs):
        raise NotImplementedError()

    @classmethod
    def decode_response(cls, response):
        raise NotImplementedError()

    @classmethod
    def encode_request(cls, payload, **kwargs):
        raise NotImplementedError()

    @classmethod
    def decode_request(cls, request):
        raise NotImplementedError()

    @classmethod
    def encode(cls, model_name, payload, model_version=None):
        """The old name of encode_response()."""
        return cls.encode_response(model_name, payload, model_version)

    @classmethod
    def decode(cls, request):
        """The old name of decode_request()."""
        return cls.decode_request(request)


_input_codecs, _request_codecs = {}, {}  # by content type, in the order that they are tried in


def register_input_codec(codec):
    if codec.ContentType is not None:
        _input_codecs[codec.ContentType] = codec
    return codec


def register_request_codec(codec):
    if codec.ContentType is not None:
        _request_codecs[codec.ContentType] = codec
    return codec


def _first(codecs, fits, what):
    for codec in codecs.values():
        if fits(codec):
            return codec
    logger.debug("No codec was found for %s.", what)
    return None


def _find(codecs, content_type, payload, type_hint):
    if content_type:
        return codecs.get(content_type)
    if payload is not None:
        return _first(codecs, lambda codec: codec.can_encode(payload), f"payload with type {type(payload)}")
    if type_hint:
        return _first(codecs, lambda codec: codec.TypeHint == type_hint, f"type hint {type_hint}")
    return None


def find_input_codec(content_type=None, payload=None, type_hint=None):
    return _find(_input_codecs, content_type, payload, type_hint)


def find_request_codec(content_type=None, payload=None, type_hint=None):
    return _find(_request_codecs, content_type, payload, type_hint)


def find_input_codec_by_payload(payload):
    return find_input_codec(payload=payload)


def find_request_codec_by_payload(payload):
    return find_request_codec(payload=payload)


def find_input_codec_by_type_hint(type_hint):
    return find_input_codec(type_hint=type_hint)


def find_request_codec_by_type_hint(type_hint):
    return find_request_codec(type_hint=type_hint)
