"""The class that models are derived from."""

from .codecs import (
    decode_inference_request,
    decode_request_input,
    encode_inference_response,
    encode_response_output,
    get_decoded,
    has_decoded,
)
from .codecs.errors import CodecNotFound
from .types import MetadataModelResponse, Parameters


def _by_name(tensors):
    return {tensor.name: tensor for tensor in tensors or ()}


class MLModel:
    def __init__(self, settings):
        self._settings = settings
        self._inputs_index, self._outputs_index = _by_name(settings.inputs), _by_name(settings.outputs)
        self.ready = False

    async def load(self):
        """Whether the model is ready."""
        return True

    async def predict(self, payload):
        raise NotImplementedError(f"class {type(self).__name__} has no predict()")

    async def predict_stream(self, payloads):
        yield await self.predict(await payloads.__anext__())

    async def unload(self):
        return True

    @property
    def settings(self):
        return self._settings

    @property
    def name(self):
        return self._settings.name

    @property
    def version(self):
        return self._settings.version

    @property
    def inputs(self):
        return self._settings.inputs

    @inputs.setter
    def inputs(self, value):
        self._settings.inputs = value
        self._inputs_index = _by_name(value)

    @property
    def outputs(self):
        return self._settings.outputs

    @outputs.setter
    def outputs(self, value):
        self._settings.outputs = value
        self._outputs_index = _by_name(value)

    def decode(self, request_input, default_codec=None):
        """By its content type, else that of the metadata, else `default_codec`; without any the values as they are."""
        decode_request_input(request_input, self._inputs_index)
        if has_decoded(request_input):
            return get_decoded(request_input)
        return default_codec.decode_input(request_input) if default_codec else request_input.data

    def decode_request(self, inference_request, default_codec=None):
        decode_inference_request(inference_request, self._settings, self._inputs_index)
        if has_decoded(inference_request):
            return get_decoded(inference_request)
        return default_codec.decode_request(inference_request) if default_codec else inference_request

    def encode_response(self, payload, default_codec=None):
        response = encode_inference_response(payload, self._settings)
        if response:
            return response
        if default_codec:
            return default_codec.encode_response(self.name, payload, self.version)
        raise CodecNotFound(payload_type=str(type(payload)), is_request=True)

    def encode(self, payload, request_output, default_codec=None):
        output = encode_response_output(payload, request_output, self._outputs_index)
        if output:
            return output
        if default_codec:
            return default_codec.encode_output(request_output.name, payload)
        raise CodecNotFound(name=request_output.name)

    async def metadata(self):
        settings = self._settings
        found = MetadataModelResponse(
            name=self.name, platform=settings.platform, versions=settings.versions, inputs=settings.inputs,
            outputs=settings.outputs,
        )  # fmt: skip
        if settings.parameters:
            found.parameters = Parameters(content_type=settings.parameters.content_type)
        return found
