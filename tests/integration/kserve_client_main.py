"""KServe's own clients, unmodified: kserve_client_main.py ADDRESS [GRPC_ADDRESS] asks a server with the models of test_kserve.py."""

import asyncio
import sys

import httpx
import numpy as np
from grpc import RpcError, StatusCode
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig

import checks_main

ADDRESS = sys.argv[1]
GRPC = sys.argv[2] if len(sys.argv) > 2 else ADDRESS
URL = f"http://{ADDRESS}"
ROWS = np.random.default_rng(3).random((2, 64), np.float32)


def rest(call, protocol="v1"):
    """The result of `await call(client)`."""

    async def ask():
        async with InferenceRESTClient(RESTConfig(protocol=protocol)) as client:
            return await call(client)

    return asyncio.run(ask())


def grpc(call):
    async def ask():
        async with InferenceGRPCClient(GRPC) as client:
            return await call(client)

    return asyncio.run(ask())


def status(call):
    try:
        rest(call)
    except httpx.HTTPStatusError as error:
        return error.response.status_code, error.response.json()["error"]
    raise AssertionError("it succeeded")


def request(binary=False):
    tensor = InferInput("x", [2, 64], "FP32")
    tensor.set_data_from_numpy(ROWS, binary_data=binary)
    return InferRequest(model_name="mlp", infer_inputs=[tensor], request_id="7")


def predictions():
    return rest(lambda client: client.infer(URL, {"instances": ROWS.tolist()}, model_name="mlp"))["predictions"]


def same(response):
    assert response.id == "7" and response.model_name == "mlp"
    np.testing.assert_allclose(response.outputs[0].as_numpy(), predictions(), rtol=1e-5)


def check_v1_predict():
    answer = np.array(predictions())
    assert answer.shape == (2, 10)
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)


def check_v1_prefix():
    answer = rest(lambda client: client.infer(f"{URL}/kserve", {"instances": ROWS.tolist()}, model_name="mlp"))
    assert answer == {"predictions": predictions()}


def check_v1_readiness():
    for url in (URL, f"{URL}/kserve"):
        assert rest(lambda client: client.is_model_ready(url, "mlp")) is True
        code, text = status(lambda client: client.is_model_ready(url, "nobody"))
        assert code == 404 and "nobody" in text


def check_v1_list():
    for url in (URL, f"{URL}/kserve"):
        assert httpx.get(f"{url}/v1/models").json()["models"] == ["mlp", "sums"]


def check_v1_errors():
    code, text = status(lambda client: client.infer(URL, {"rows": []}, model_name="mlp"))
    assert code == 400 and "instances" in text
    code, text = status(lambda client: client.infer(URL, {"instances": []}, model_name="nobody"))
    assert code == 404


def check_v1_handler():
    body = {"instances": [{"data": [1, 2]}, {"data": [3]}]}
    answer = rest(lambda client: client.infer(URL, body, model_name="sums"))
    assert answer == {"predictions": [3, 3]}
    code, text = status(lambda client: client.infer(URL, {"rows": []}, model_name="sums"))
    assert code == 400 and '{"instances": [...]}' in text


def check_v1_explain():
    body = {"instances": [{"data": [1, 2]}]}
    for url in (URL, f"{URL}/kserve"):
        assert rest(lambda client: client.explain(url, "sums", body)) == {"explanations": [3]}
    code, text = status(lambda client: client.explain(URL, "mlp", body))
    assert code == 501 and "explains nothing" in text
    code, _ = status(lambda client: client.explain(URL, "nobody", body))
    assert code == 404


def check_v2_rest():
    for binary in (False, True):
        same(rest(lambda client: client.infer(URL, request(binary), model_name="mlp"), "v2"))
    assert rest(lambda client: client.is_server_live(URL), "v2") is True
    assert rest(lambda client: client.is_server_ready(URL), "v2") is True
    assert rest(lambda client: client.is_model_ready(URL, "mlp"), "v2") is True
    assert rest(lambda client: client.is_model_ready(URL, "nobody"), "v2") is False


def check_grpc_infer():
    for binary in (False, True):
        same(grpc(lambda client: client.infer(request(binary))))


def check_grpc_several_on_one_client():
    async def ask():
        async with InferenceGRPCClient(GRPC) as client:
            return await asyncio.gather(*(client.infer(request(i % 2 == 0)) for i in range(20)))

    answers = asyncio.run(ask())
    assert len(answers) == 20
    for response in answers:
        same(response)


def check_grpc_health():
    assert grpc(lambda client: client.is_server_live()) is True
    assert grpc(lambda client: client.is_server_ready()) is True
    assert grpc(lambda client: client.is_model_ready("mlp")) is True


def check_grpc_errors():
    """Its own channel tries again by itself what is UNAVAILABLE, so these come at once."""
    with_nobody = InferRequest(model_name="nobody", infer_inputs=request().inputs)
    tensor = InferInput("x", [1, 3], "FP32")
    tensor.set_data_from_numpy(ROWS[:1, :3], binary_data=False)
    for call, code in (
        (lambda client: client.is_model_ready("nobody"), StatusCode.NOT_FOUND),
        (lambda client: client.infer(with_nobody), StatusCode.NOT_FOUND),
        (lambda client: client.infer(InferRequest(model_name="mlp", infer_inputs=[tensor])), StatusCode.INVALID_ARGUMENT),
    ):
        try:
            grpc(call)
        except RpcError as error:
            assert error.code() == code, error
        else:
            raise AssertionError("it succeeded")


def check_graph():
    """A graph's address is used as it is, as that of KServe's router."""
    for url, headers in ((f"{URL}/graphs/chain", None), (f"{URL}/", {"Host": "chain.default.example.com"})):

        def ask(data, protocol, url=url, headers=headers):
            return rest(lambda client: client.infer(url, data, headers=headers, is_graph_endpoint=True), protocol)

        answer = ask({"instances": ROWS.tolist()}, "v1")
        assert answer == {"one": {"predictions": predictions()}, "other": {"predictions": predictions()}}
        for binary in (False, True):
            answer = ask(request(binary), "v2")
            assert answer["one"]["id"] == "7" and answer["one"] == answer["other"]
            np.testing.assert_allclose(np.ravel(predictions()), answer["one"]["outputs"][0]["data"], rtol=1e-5)
    answer = rest(lambda client: client.infer(URL, {"instances": ROWS.tolist()}, model_name="chain"))
    assert set(answer) == {"one", "other"}
    assert rest(lambda client: client.is_model_ready(URL, "chain")) is True
    assert rest(lambda client: client.is_model_ready(URL, "chain"), "v2") is True
    code, text = status(lambda client: client.infer(f"{URL}/graphs/none", {}, is_graph_endpoint=True))
    assert code == 404 and "none" in text


checks_main.run(globals())
