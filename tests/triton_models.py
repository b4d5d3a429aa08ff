"""Models of Triton's Python backend that give one answer, each of one of its documented features."""

from triton_repository import FP32_4, model

model(
    "add_sub",
    """max_batch_size: 8 instance_group [ { kind: KIND_CPU count: 1 } ]
    input [ { name: "INPUT0" data_type: TYPE_FP32 dims: [ 4 ] }, { name: "INPUT1" data_type: TYPE_FP32 dims: [ 4 ] } ]
    output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 4 ] }, { name: "OUTPUT1" data_type: TYPE_INT32 dims: [ 4 ] } ]""",
    """
    class TritonPythonModel:
        def initialize(self, args):
            config = json.loads(args["model_config"])
            self.types = [
                pb_utils.triton_string_to_numpy(pb_utils.get_output_config_by_name(config, name)["data_type"])
                for name in ("OUTPUT0", "OUTPUT1")
            ]
            assert pb_utils.get_input_config_by_name(config, "INPUT1")["dims"] == [4]
            assert pb_utils.get_input_config_by_name(config, "none") is None
            assert not pb_utils.using_decoupled_model_transaction_policy(config)

        def execute(self, requests):
            responses = []
            for request in requests:
                left = pb_utils.get_input_tensor_by_name(request, "INPUT0").as_numpy()
                right = pb_utils.get_input_tensor_by_name(request, "INPUT1").as_numpy()
                assert left.ndim == 2 and left.flags.c_contiguous
                outputs = [
                    pb_utils.Tensor("OUTPUT0", (left + right).astype(self.types[0])),
                    pb_utils.Tensor("OUTPUT1", (left - right).astype(self.types[1])),
                ]
                responses.append(pb_utils.InferenceResponse(output_tensors=outputs))
            return responses

        def finalize(self):
            print("cleaning up")
    """,
)
model("identity", f"max_batch_size: 64 {FP32_4}", """
    class TritonPythonModel:
        def execute(self, requests):
            return [
                pb_utils.InferenceResponse([pb_utils.Tensor("y", r.inputs()[0].as_numpy())]) for r in requests
            ]
    """)  # fmt: skip
model(
    "strings",
    """max_batch_size: 8 input [ { name: "text" data_type: TYPE_STRING dims: [ -1 ] } ]
    output [ { name: "loud" data_type: TYPE_STRING dims: [ -1 ] } ]""",
    """
    class TritonPythonModel:
        def execute(self, requests):
            responses = []
            for request in requests:
                text = pb_utils.get_input_tensor_by_name(request, "text").as_numpy()
                assert text.dtype == np.object_ and all(isinstance(item, bytes) for item in text.ravel())
                loud = np.array([item.decode().upper() for item in text.ravel()], dtype=np.object_).reshape(text.shape)
                responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("loud", loud)]))
            return responses
    """,
)
model(
    "faulty",
    """max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 200000 preferred_batch_size: [ 8 ] }
    input [ { name: "what" data_type: TYPE_STRING dims: [ 1 ] } ]
    output [ { name: "size" data_type: TYPE_INT32 dims: [ 1 ] } ]""",
    """
    class TritonPythonModel:
        def execute(self, requests):
            asked = [request.inputs()[0].as_numpy()[0, 0].decode() for request in requests]
            if "raise" in asked:
                raise ValueError("raised as asked")
            if "nothing" in asked:
                return None
            if "few" in asked:
                return []
            if "number" in asked:
                return [7] * len(requests)
            return [self.one(word, len(requests)) for word in asked]

        def one(self, word, size):
            if word in ("UNKNOWN", "INTERNAL", "NOT_FOUND", "INVALID_ARG", "UNAVAILABLE", "UNSUPPORTED", "CANCELLED"):
                return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"it is {word}", getattr(pb_utils.TritonError, word)))
            if word == "plain":
                return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError("only a text"))
            if word == "none":
                return None
            outputs = [pb_utils.Tensor("size", np.array([[size]], np.float32 if word == "type" else np.int32))]
            if word == "more":
                outputs.append(pb_utils.Tensor("unheard", np.zeros(3, np.int8)))
            return pb_utils.InferenceResponse(outputs)
    """,
)
model(
    "completed",
    None,
    """
    class TritonPythonModel:
        @staticmethod
        def auto_complete_config(auto_complete_model_config):
            config = auto_complete_model_config.as_dict()
            assert config["max_batch_size"] == 0 and not config["input"]
            auto_complete_model_config.set_max_batch_size(4)
            auto_complete_model_config.add_input({"name": "x", "data_type": "TYPE_FP32", "dims": [-1]})
            auto_complete_model_config.add_input(
                {"name": "scale", "data_type": "TYPE_FP32", "dims": [1], "optional": True}
            )
            auto_complete_model_config.add_output({"name": "y", "data_type": "TYPE_FP32", "dims": [-1]})
            auto_complete_model_config.set_dynamic_batching()
            return auto_complete_model_config

        def initialize(self, args):
            config = json.loads(args["model_config"])
            assert config["max_batch_size"] == 4 and config["input"][0]["name"] == "x"

        def execute(self, requests):
            responses = []
            for request in requests:
                scale = pb_utils.get_input_tensor_by_name(request, "scale")
                x = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
                y = x * (2 if scale is None else scale.as_numpy())
                responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", y.astype(np.float32))]))
            return responses
    """,
)
model(
    "about",
    """max_batch_size: 4 parameters { key: "colour" value { string_value: "red" } }
    instance_group [ { name: "workers" kind: KIND_CPU count: 2 } ]
    input [ { name: "x" data_type: TYPE_FP32 dims: [ 4 ] } ]
    output [ { name: "told" data_type: TYPE_STRING dims: [ 1 ] }, { name: "other" data_type: TYPE_INT8 dims: [ 1 ] } ]""",
    """
    from .helper import WORD

    class TritonPythonModel:
        def initialize(self, args):
            self.args = args

        def execute(self, requests):
            return [self.one(request) for request in requests]

        def one(self, request):
            told = {
                "args": self.args, "word": WORD, "dir": pb_utils.get_model_dir(), "id": request.request_id(),
                "correlation": request.correlation_id(), "flags": request.flags(),
                "outputs": request.requested_output_names(), "parameters": json.loads(request.parameters()),
                "cancelled": request.is_cancelled(), "cpu": request.inputs()[0].is_cpu(),
                "shape": request.inputs()[0].shape(),
            }
            output = np.array([[json.dumps(told)]], dtype=np.object_)
            pb_utils.Logger.log_warn("a warning of the model's")
            pb_utils.Logger.log("an error of the model's", pb_utils.Logger.ERROR)
            return pb_utils.InferenceResponse(
                [pb_utils.Tensor("told", output), pb_utils.Tensor("other", np.zeros((1, 1), np.int8))],
                parameters={"text": "a", "number": 7, "yes": True, "half": 0.5},
            )
    """,
)
model(
    "metrics",
    FP32_4,
    """
    class TritonPythonModel:
        def initialize(self, args):
            labels = {"model": args["model_name"], "version": args["model_version"], "kind": "any"}
            family = pb_utils.MetricFamily("requests_seen", "Requests seen.", pb_utils.MetricFamily.COUNTER)
            self.counter = family.Metric(labels=labels)
            self.gauge = pb_utils.MetricFamily(
                name="level", description="A level.", kind=pb_utils.MetricFamily.GAUGE
            ).Metric(labels={"model": "another"})
            self.histogram = pb_utils.MetricFamily(
                name="sizes", description="Sizes.", kind=pb_utils.MetricFamily.HISTOGRAM
            ).Metric(labels={}, buckets=[1.0, 10.0])

        def execute(self, requests):
            self.counter.increment(len(requests))
            self.gauge.set(10)
            self.gauge.increment(-3)
            self.histogram.observe(5)
            try:
                self.counter.increment(-1)
            except pb_utils.TritonModelException:
                values = np.array([self.counter.value(), self.gauge.value(), 0, 0], np.float32)
            return [pb_utils.InferenceResponse([pb_utils.Tensor("y", values)]) for request in requests]
    """,
)
model(
    "patient_plain",
    FP32_4,
    """
    import time

    class TritonPythonModel:
        def execute(self, requests):
            (request,) = requests
            print("patient_plain began")
            while not request.is_cancelled():
                time.sleep(0.01)
            print("patient_plain saw the cancellation")
            error = pb_utils.TritonError("cancelled", pb_utils.TritonError.CANCELLED)
            return [pb_utils.InferenceResponse(error=error)]
    """,
)
model(
    "bf16",
    """input [ { name: "x" data_type: TYPE_BF16 dims: [ -1 ] } ]
    output [ { name: "y" data_type: TYPE_BF16 dims: [ -1 ] }, { name: "z" data_type: TYPE_FP32 dims: [ -1 ] } ]""",
    """
    class TritonPythonModel:
        def execute(self, requests):
            responses = []
            for request in requests:
                x = pb_utils.get_input_tensor_by_name(request, "x")
                try:
                    x.as_numpy()
                except pb_utils.TritonModelException as error:
                    assert "BF16" in str(error)
                y = pb_utils.Tensor.from_dlpack("y", x)
                assert y.triton_dtype() == x.triton_dtype() and y.shape() == x.shape()
                z = pb_utils.Tensor.from_dlpack("z", np.arange(x.shape()[0], dtype=np.float32))
                z = pb_utils.Tensor.from_dlpack("z", z.to_dlpack())
                responses.append(pb_utils.InferenceResponse([y, z]))
            return responses
    """,
)
