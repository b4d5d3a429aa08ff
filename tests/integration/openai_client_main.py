"""OpenAI's own client, unmodified: openai_client_main.py URL asks a server with the models of test_openai.py."""

import array
import asyncio
import base64
import sys

import checks_main
import openai

URL = sys.argv[1]
CLIENTS = {prefix: openai.OpenAI(base_url=URL + prefix, api_key="none", max_retries=0) for prefix in ("/v1", "/openai/v1")}
TEXTS = ["the quick fox", "", "größe ☃"]


def create(client=CLIENTS["/v1"], model="lengths", **arguments):
    return client.embeddings.create(model=model, **arguments)


def vectors(answer):
    assert [one.index for one in answer.data] == list(range(len(answer.data)))
    assert answer.object == "list" and all(one.object == "embedding" for one in answer.data)
    return [list(one.embedding) for one in answer.data]


def expected(texts):
    return [[len(text), len(text.encode()), 1.5, -0.25] for text in texts]


def refused(kind, **arguments):
    try:
        create(**arguments)
    except kind as error:
        return error
    raise AssertionError("it succeeded")


def check_one_and_many():
    for client in CLIENTS.values():
        assert vectors(create(client, input=TEXTS[0])) == expected(TEXTS[:1])
        answer = create(client, input=TEXTS)
        assert vectors(answer) == expected(TEXTS) and answer.model == "lengths"
        assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3 + 0 + 2


def check_formats():
    # The client asks for base64 by itself, and decodes it.
    floats = create(input=TEXTS, encoding_format="float")
    assert vectors(floats) == expected(TEXTS)
    raw = create(input=TEXTS, encoding_format="base64")
    decoded = [array.array("f", base64.b64decode(one.embedding, validate=True)).tolist() for one in raw.data]
    assert decoded == expected(TEXTS)


def check_many_inputs():
    texts = ["x" * (i % 50) for i in range(3000)]
    assert vectors(create(input=texts)) == expected(texts)


def check_async():
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="none") as client:
            return await asyncio.gather(*(create(client, input=text) for text in TEXTS * 10))

    assert [vectors(answer)[0] for answer in asyncio.run(ask())] == expected(TEXTS) * 10


def check_models():
    for client in CLIENTS.values():
        models = client.models.list().data
        assert {"lengths", "pair", "tokens"} <= {model.id for model in models}
        assert all(model.object == "model" and model.created > 1_600_000_000 for model in models)
        assert client.models.retrieve("pair").id == "pair"
        try:
            client.models.retrieve("nobody")
        except openai.NotFoundError as error:
            assert "nobody" in str(error)
        else:
            raise AssertionError("it was found")


def check_routes_and_ensembles():
    assert vectors(create(model="route", input="ab")) == expected(["ab"])
    assert create(model="route", input="ab").model == "route"
    assert CLIENTS["/openai/v1"].models.retrieve("route").id == "route"
    assert vectors(create(model="pipeline", input=TEXTS)) == expected(TEXTS)
    assert create(model="pipeline", input=TEXTS).usage.prompt_tokens == 5


def check_tokens():
    answer = create(model="tokens", input=[[1, 2, 3], [4]])
    assert vectors(answer) == [[6, 3, 6, 6], [4, 1, 4, 4]]
    assert answer.usage.prompt_tokens == 4
    assert vectors(create(model="tokens", input=[7, 8])) == [[15, 2, 15, 15]]
    error = refused(openai.BadRequestError, input=[[1, 2]])
    assert error.param == "input" and "takes texts and no tokens" in error.message, error


def check_dimensions():
    [vector] = vectors(create(model="tokens", input=[3, 1], dimensions=2))
    assert abs(sum(x * x for x in vector) - 1) < 1e-6 and abs(vector[0] / vector[1] - 2) < 1e-6
    error = refused(openai.BadRequestError, input="a", dimensions=2)
    assert error.param == "dimensions" and "matryoshka_dimensions" in error.message


def check_errors():
    error = refused(openai.NotFoundError, model="nobody", input="a")
    assert error.code == "model_not_found" and error.param == "model" and "nobody" in error.message
    error = refused(openai.BadRequestError, model="mlp", input="a")
    assert error.type == "invalid_request_error" and "does not make embeddings" in error.message
    assert refused(openai.BadRequestError, input=[]).param == "input"
    error = refused(openai.BadRequestError, input=["fine", "refused"])
    assert "no such word" in error.message, error


checks_main.run(globals())
