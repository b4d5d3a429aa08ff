"""Clients of Python models whose workers are killed: what each got is an answer that is right, or a refusal that says why."""

import contextlib
import http.client
import json
import threading
import time

import numpy as np
import tritonclient.grpc as triton

CALL_SECONDS = 60  # an answer that takes longer hangs
# What a refusal may say: the request was inside of a worker that ended, or there was none to take it.
REASONS = ("signal 9 (SIGKILL)", "did not answer within", "was not ready within", "not ready yet", "closed its connection")
LARGE = 100_000  # numbers; more than is copied into answers
STREAMED = 5

MODELS = {
    "rows": """
        import time

        @modelmill.model(batch=32)
        def rows(x: int, factor: int) -> int:
            time.sleep(0.002)
            return x * factor
    """,
    "waits": """
        import asyncio

        @modelmill.model
        async def waits(x: int, factor: int) -> int:
            await asyncio.sleep(0.005)
            return x * factor
    """,
    "large": f"""
        @modelmill.model
        def large(x: modelmill.Tensor[np.float32, {LARGE}]) -> modelmill.Tensor[np.float32, {LARGE}]:
            return x if x[0] % 2 else x.copy()
    """,
    "calls": """
        @modelmill.model
        async def calls(x: int, factor: int) -> int:
            answer = await modelmill.call_async("rows", x=np.full(1, x), factor=np.full(1, factor))
            return answer["output"][0]
    """,
    "streams": f"""
        from collections.abc import AsyncIterator

        @modelmill.model
        async def streams(x: int) -> AsyncIterator[int]:
            for number in range({STREAMED}):
                yield x + number
    """,
}


class Outcomes:
    """Thread-safe. `wrong` holds whatever is neither a right answer nor a refusal with one of REASONS."""

    def __init__(self):
        self._lock = threading.Lock()
        self.answers = dict.fromkeys(MODELS, 0)
        self.refusals, self.wrong, self.slowest = 0, [], 0.0

    def note(self, model, right, text, seconds):
        with self._lock:
            self.slowest = max(self.slowest, seconds)
            if right:
                self.answers[model] += 1
            elif any(reason in text for reason in REASONS):
                self.refusals += 1
            else:
                self.wrong.append((model, text))

    def least(self):
        with self._lock:
            return min(self.answers.values())


class HttpClient:
    """One connection, again and again; asks the models one after another."""

    MODELS = ("rows", "waits", "calls", "streams")

    def __init__(self, server):
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=CALL_SECONDS)

    def close(self):
        self._connection.close()

    def _post(self, path, value):
        self._connection.request("POST", path, json.dumps(value), {"Content-Type": "application/json"})
        reply = self._connection.getresponse()
        return reply.status, reply.read().decode()

    def ask(self, model, value):
        """(whether the answer is right, the text of a refusal)"""
        if model == "streams":
            return self._stream(value)
        inputs = {"x": value, "factor": 3} if model != "rows" else {"x": [value], "factor": [3]}
        status, text = self._post(f"/predict/{model}", inputs)
        expected = [3 * value] if model == "rows" else 3 * value
        return status == 200 and json.loads(text) == {"output": expected}, text if status == 503 else f"{status} {text}"

    def _stream(self, value):
        status, text = self._post("/v2/models/streams/generate_stream", {"x": value})
        if status != 200:
            return False, text if status == 503 else f"{status} {text}"
        events = [json.loads(line[5:]) for line in text.split("\n") if line.startswith("data:")]
        numbers = [event["output"] for event in events if "output" in event]
        errors = [event["error"] for event in events if "error" in event]
        # One that was cut has its first answers in order, and then says why it ended.
        in_order = numbers == [value + number for number in range(len(numbers))]
        return in_order and not errors and len(numbers) == STREAMED, errors[-1] if in_order and errors else text


class GrpcClient:
    MODELS = ("rows", "waits", "large", "calls")

    def __init__(self, server):
        self._client = triton.InferenceServerClient(server.address)

    def close(self):
        self._client.close()

    def ask(self, model, value):
        if model == "large":
            arrays = {"x": np.full(LARGE, value % 1000, np.float32)}
            expected = arrays["x"]
        else:
            shape = (1,) if model == "rows" else ()
            arrays = {"x": np.full(shape, value), "factor": np.full(shape, 3)}
            expected = np.full(shape, 3 * value)
        inputs = []
        for name, array in arrays.items():
            inputs.append(triton.InferInput(name, array.shape, "FP32" if model == "large" else "INT64"))
            inputs[-1].set_data_from_numpy(array)
        try:
            answer = self._client.infer(model, inputs, client_timeout=CALL_SECONDS).as_numpy("output")
        except triton.InferenceServerException as error:
            text = error.message()
            return False, text if "UNAVAILABLE" in str(error.status()) else f"{error.status()} {text}"
        return np.array_equal(answer, expected), f"another answer than {value} has"


class Load:
    """`clients` threads of either protocol until stop(), each with a pause between an answer and its next request."""

    def __init__(self, server, clients, pause):
        self.outcomes, self._pause, self._stop = Outcomes(), pause, threading.Event()
        kinds = [HttpClient, GrpcClient] * clients
        self._threads = [threading.Thread(target=self._run, args=(number, kind(server))) for number, kind in enumerate(kinds)]
        for thread in self._threads:
            thread.start()

    def _run(self, number, client):
        value = number * 1_000_000
        with contextlib.closing(client):
            while not self._stop.wait(self._pause):
                value += 1
                model = client.MODELS[value % len(client.MODELS)]
                began = time.monotonic()
                try:
                    right, text = client.ask(model, value)
                except (OSError, http.client.HTTPException) as error:  # it hung, or was cut off
                    right, text = False, repr(error)
                self.outcomes.note(model, right, text, time.monotonic() - began)

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * CALL_SECONDS)
        assert not any(thread.is_alive() for thread in self._threads), "a request hangs"
