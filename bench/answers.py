"""What servers answer to gRPC calls, looked at: its values, and the version that it names."""

import pathlib
import threading

import grpc
import numpy as np

from load import INFER_METHOD

SECONDS = 60
SAMPLE_EVERY = 0.05  # seconds


class Answer:
    """The version that made it, and {name: array} of its outputs."""

    def __init__(self, message):
        import tritonclient.grpc.service_pb2 as pb
        from tritonclient.utils import triton_to_np_dtype

        parsed = pb.ModelInferResponse.FromString(message)
        self.version = int(parsed.model_version)
        self.outputs = {
            output.name: np.frombuffer(raw, triton_to_np_dtype(output.datatype)).reshape(output.shape)
            for output, raw in zip(parsed.outputs, parsed.raw_output_contents, strict=True)
        }

    def difference(self, other, factor=1):
        """The largest one from `factor` times the other, as a part of the largest value of its output; infinite where
        names or shapes differ."""
        if self.outputs.keys() != other.outputs.keys():
            return np.inf
        return max(_difference(self.outputs[name], factor * array) for name, array in other.outputs.items())


def _difference(array, expected):
    if array.shape != expected.shape or not np.isfinite(array).all():
        return np.inf
    largest = np.abs(expected).max(initial=0)
    return float(np.abs(array - expected).max(initial=0) / (largest or 1))


class Asking:
    """A connection on which one Request of load.grpc_request() is asked."""

    def __init__(self, server, request):
        self._message = pathlib.Path(request.body).read_bytes()[5:]  # without the frame's head
        bound = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
        self._channel = grpc.insecure_channel(server.url.partition("://")[2], bound)
        self._call = self._channel.unary_unary(INFER_METHOD)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._channel.close()

    def ask(self):
        return Answer(self._call(self._message, timeout=SECONDS))


class Sampling:
    """Asks again and again while a block runs, beside whatever load there is, and hands each answer to `check`, which
    says what is wrong with it, or nothing: check(what `before()` has returned before it was asked, the answer)."""

    def __init__(self, server, request, before, check):
        self.count, self.wrong = 0, []
        self._server, self._request, self._before, self._check = server, request, before, check
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        with Asking(self._server, self._request) as asking:
            while not self._stop.wait(SAMPLE_EVERY):
                before = self._before()
                try:
                    wrong = self._check(before, asking.ask())
                except grpc.RpcError as error:
                    wrong = f"{error.code()}: {error.details()}"
                self.count += 1
                if wrong:
                    self.wrong.append(wrong)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
