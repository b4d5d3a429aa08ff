"""Which codec is meant, and what it has decoded: kept with the parameters of what it was decoded from."""

from ..types import InferenceRequest, InferenceResponse, Parameters, RequestInput, ResponseOutput
from .base import (
    RequestCodec,
    find_input_codec,
    find_input_codec_by_payload,
    find_request_codec,
    find_request_codec_by_payload,
)
from .errors import CodecError

DefaultOutputPrefix = "output-"
DefaultInputPrefix = "input-"
DecodedParameterName = "_decoded_payload"


def inject_batch_dimension(shape):
    """Of one dimension: a column."""
    return shape if len(shape) > 1 else shape + [1]


def values_of(tensor):
    """As a list, also where there is one value alone."""
    root = tensor.data.root
    return root if isinstance(root, list) else [root]


def request_input_of(output):
    """An output as an input."""
    about = {"parameters": output.parameters} if output.parameters is not None else {}
    return RequestInput(name=output.name, shape=output.shape, datatype=output.datatype, data=output.data, **about)


def _content_type_of(*candidates):
    for one in candidates:
        if one is not None and one.parameters and one.parameters.content_type:
            return one.parameters.content_type
    return None


def _save(payload, decoded):
    if not payload.parameters:
        payload.parameters = Parameters()
    setattr(payload.parameters, DecodedParameterName, decoded)


def has_decoded(payload):
    return bool(payload.parameters) and hasattr(payload.parameters, DecodedParameterName)


def get_decoded(payload):
    return getattr(payload.parameters, DecodedParameterName) if has_decoded(payload) else None


def get_decoded_or_raw(payload):
    if has_decoded(payload):
        return get_decoded(payload)
    return payload.data if isinstance(payload, (RequestInput, ResponseOutput)) else payload


def encode_response_output(payload, request_output, metadata_outputs=None):
    metadata = (metadata_outputs or {}).get(request_output.name)
    content_type = _content_type_of(request_output, metadata)
    codec = find_input_codec(content_type) if content_type else find_input_codec_by_payload(payload)
    return codec.encode_output(name=request_output.name, payload=payload) if codec else None


def encode_inference_response(payload, model_settings):
    codec = find_request_codec_by_payload(payload)
    return codec.encode_response(model_settings.name, payload, model_settings.version) if codec else None


def decode_request_input(request_input, metadata_inputs=None):
    metadata = (metadata_inputs or {}).get(request_input.name)
    codec = find_input_codec(_content_type_of(request_input, metadata))
    if codec is None:
        return None
    decoded = codec.decode_input(request_input)
    _save(request_input, decoded)
    return decoded


def decode_inference_request(inference_request, model_settings=None, metadata_inputs=None):
    for request_input in inference_request.inputs:
        decode_request_input(request_input, metadata_inputs)
    codec = find_request_codec(_content_type_of(inference_request, model_settings))
    if codec is None:
        return inference_request
    decoded = codec.decode_request(inference_request)
    _save(inference_request, decoded)
    return decoded


class SingleInputRequestCodec(RequestCodec):
    """A request that is its one input."""

    InputCodec = None

    @classmethod
    def can_encode(cls, payload):
        return cls.InputCodec is not None and cls.InputCodec.can_encode(payload)

    @classmethod
    def encode_response(cls, model_name, payload, model_version=None, **kwargs):
        output = cls.InputCodec.encode_output(f"{DefaultOutputPrefix}1", payload, **kwargs)
        return InferenceResponse(
            model_name=model_name, model_version=model_version, parameters=Parameters(content_type=cls.ContentType),
            outputs=[output],
        )  # fmt: skip

    @classmethod
    def encode_request(cls, payload, **kwargs):
        made = cls.InputCodec.encode_input(f"{DefaultInputPrefix}1", payload, **kwargs)
        return InferenceRequest(inputs=[made], parameters=Parameters(content_type=cls.ContentType))

    @classmethod
    def _only(cls, tensors, what, decode):
        if len(tensors) != 1:
            raise CodecError(
                f"The '{cls.ContentType}' codec only supports a single {what} tensor ({len(tensors)} were received)"
            )
        if not has_decoded(tensors[0]):
            _save(tensors[0], decode(tensors[0]))
        return get_decoded(tensors[0])

    @classmethod
    def decode_response(cls, response):
        return cls._only(response.outputs, "output", cls.InputCodec.decode_output)

    @classmethod
    def decode_request(cls, request):
        return cls._only(request.inputs, "input", cls.InputCodec.decode_input)
