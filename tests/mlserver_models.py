"""Folders of models as MLServer's users have them: a model-settings.json and a class in a module beside it."""

import json
import textwrap

import servers

OWN = servers.ROOT / "build/venvs/python"  # without MLServer's package
THEIRS = servers.ROOT / "build/venvs/mlserver"

_IMPORTS = """
import asyncio
import json
from datetime import datetime
from typing import List

import numpy as np
import pandas as pd
from mlserver import MLModel, log, register
from mlserver.codecs import (
    Base64Codec, DatetimeCodec, NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec, StringRequestCodec, decode_args,
)
from mlserver.errors import InferenceError, MLServerError
from mlserver.handlers import custom_handler
from mlserver.logging import logger
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, RequestOutput, ResponseOutput
from mlserver.utils import get_model_uri
"""

CLASSES = """
class Scaled(MLModel):
    async def load(self) -> bool:
        path = await get_model_uri(self.settings, wellknown_filenames=["factor.json"])
        with open(path) as file:
            self.factor = json.load(file) + self.settings.parameters.extra["more"]
        logger.info("the factor is %s", self.factor)
        return True

    @decode_args
    async def predict(self, payload: np.ndarray) -> np.ndarray:
        return payload * payload.dtype.type(self.factor)

    @custom_handler(rest_path="/factor", rest_method="GET")
    async def tell(self):
        return self.factor

    @custom_handler(rest_path="/factor/{name}/sum")
    async def total(self, name: str, payload: List[float], times: int = 1) -> dict:
        if name == "nobody":
            raise MLServerError("there is nobody", 418)
        return {"name": name, "sum": sum(payload) * times}

    @custom_handler(rest_path="/counted/{how}", rest_method="GET")
    async def counted(self, how: str):
        from starlette.responses import StreamingResponse

        def at_once():
            yield from (f"{number}\\n" for number in range(5))

        async def slowly():
            for text in at_once():
                await asyncio.sleep(0.01)
                yield text

        def endless():
            while True:
                yield bytes(16 << 20)

        return StreamingResponse({"sync": at_once, "async": slowly, "endless": endless}[how](), media_type="text/x-numbers")

    @custom_handler(rest_path="/scaled/predict")
    async def predicted(self) -> str:
        return "by its own path"


class Words(MLModel):
    @decode_args
    async def predict(self, questions: List[str], numbers: np.ndarray) -> List[str]:
        return [question + "!" * int(number) for question, number in zip(questions, numbers.ravel())]


class Table(MLModel):
    @decode_args
    async def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        table["sum"] = table["a"] + table["b"]
        table["name"] = table["name"].str.upper()
        return table


class Echo(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        seen = payload.model_dump()
        headers = seen["parameters"].pop("headers")
        seen["mine"] = headers.get("x-mine")
        seen["decoded"] = [str(self.decode(one)) for one in payload.inputs]
        text = json.dumps(seen, default=lambda value: value.decode(), sort_keys=True)
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            parameters=Parameters(content_type="str", headers={"x-answer": "yes"}, deep={"a": [1, None]}, n=7),
            outputs=[
                ResponseOutput(name="seen", shape=[1], datatype="BYTES", data=[text], parameters=Parameters(k="v")),
                ResponseOutput(name="half", shape=[2], datatype="FP16", data=[0.5, 1.5]),
                ResponseOutput(name="flag", shape=[1, 2], datatype="BOOL", data=[True, False]),
            ],
        )


class Codecs(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        outputs = []
        for one in payload.inputs:
            value = self.decode(one, default_codec=StringCodec)
            if isinstance(value, list) and isinstance(value[0], datetime):
                value = [moment.replace(year=2000) for moment in value]
            elif isinstance(value, list) and isinstance(value[0], bytes):
                value = [data[::-1] for data in value]
            wanted = RequestOutput(name=one.name, parameters=Parameters(content_type=one.parameters.content_type))
            outputs.append(self.encode(value, wanted))
        return InferenceResponse(model_name=self.name, outputs=outputs)


class Whole(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return self.encode_response(self.decode_request(payload, default_codec=NumpyRequestCodec), NumpyRequestCodec)


class Refuses(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        (how,) = self.decode(payload.inputs[0], default_codec=StringCodec)
        if how == "inference":
            raise InferenceError("not so")
        if how.isdigit():
            raise MLServerError(f"status {how}", int(how))
        raise ValueError(how)


class Large(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        (size,) = payload.inputs[0].data
        outputs = [StringCodec.encode_output("all", ["came"])]
        return InferenceResponse(model_name=self.name, parameters=Parameters(large="é" * size), outputs=outputs)


class Unready(MLModel):
    async def load(self):
        return False


class Unloadable(MLModel):
    async def load(self):
        raise MLServerError("there is no such weight")


class Together(MLModel):
    async def load(self) -> bool:
        self.inside = 0
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        self.inside += 1
        while self.inside < 4:
            await asyncio.sleep(0.01)
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("all", ["came"])])


class Tokens(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return self.piece(" ".join(StringCodec.decode_input(payload.inputs[0])))

    async def predict_stream(self, payloads):
        async for payload in payloads:
            for word in StringCodec.decode_input(payload.inputs[0])[0].split():
                if word == "stop":
                    raise MLServerError("it stopped", 422)
                yield self.piece(word)

    def piece(self, text):
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("token", [text], use_bytes=True)])


class Batched(MLModel):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = NumpyCodec.decode_input(payload.inputs[0])
        size = np.full((len(x), 1), len(x))
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("x", x), NumpyCodec.encode_output("size", size)]
        )


class Metered(MLModel):
    async def load(self) -> bool:
        register("words_seen", "how many words a request has")
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        words = StringCodec.decode_input(payload.inputs[0])
        log(words_seen=len(words))
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("words", words)])


class Declared(MLModel):
    async def load(self) -> bool:
        assert [tensor.name for tensor in self.inputs] == ["x"]
        return True

    @decode_args
    async def predict(self, x: np.ndarray) -> np.ndarray:
        return x
"""


def write(folder, name, implementation, code=CLASSES, imports=_IMPORTS, **settings):
    """A model's folder in `folder`; settings as model-settings.json has them."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "models.py").write_text(imports + textwrap.dedent(code))
    settings = {"name": name, "implementation": f"models.{implementation}", **settings}
    (place / "model-settings.json").write_text(json.dumps(settings))
    return place


def column(name, values, datatype, content_type=None, shape=None):
    """An input of a request."""
    shape = shape or [len(values)]
    about = {"parameters": {"content_type": content_type}} if content_type else {}
    return {"name": name, "shape": shape, "datatype": datatype, "data": values, **about}


def repository(folder):
    """All that can be loaded."""
    place = write(folder, "scaled", "Scaled", parameters={"uri": ".", "version": "v2.1", "extra": {"more": 1}})
    (place / "factor.json").write_text("2")
    for name in ("Words", "Table", "Echo", "Codecs", "Whole", "Refuses", "Large", "Together", "Tokens", "Metered"):
        write(folder, name.lower(), name)
    write(folder, "batched", "Batched", max_batch_size=4, max_batch_time=5.0)
    tensor = {"name": "x", "datatype": "FP32", "shape": [-1, 2], "parameters": {"content_type": "np"}}
    write(folder, "declared", "Declared", platform="numpy", inputs=[tensor], outputs=[{**tensor, "name": "output-0"}])
    return folder
