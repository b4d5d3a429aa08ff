"""MLServer's runtime for a model that gives back what it gets. Asks of its inputs what a model of a runtime asks."""

from mlserver import MLModel
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class Echo(MLModel):
    """y is x, of the type that the model's name ends with."""

    async def load(self):
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        datatype = self.name.rpartition("_")[2].upper()
        if [(one.name, one.datatype) for one in payload.inputs] != [("x", datatype)]:
            raise InferenceError(f"{self.name} takes one input, x {datatype}")
        [x] = payload.inputs
        if len(x.shape) != 2:
            raise InferenceError(f"{self.name} takes x of two dimensions")
        output = ResponseOutput(name="y", shape=x.shape, datatype=x.datatype, parameters=x.parameters, data=x.data)
        return InferenceResponse(id=payload.id, model_name=self.name, model_version=self.version, outputs=[output])
