"""Models of Triton's Python backend that give any number of answers, answer later, or call other models."""

from triton_repository import FP32_4, model

REPEAT = """
    model_transaction_policy { decoupled: true }
    input [ { name: "count" data_type: TYPE_INT32 dims: [ 1 ] } ]
    output [ { name: "number" data_type: TYPE_INT32 dims: [ 1 ] } ]"""
model(
    "repeat",
    REPEAT,
    """
    import threading

    class TritonPythonModel:
        def execute(self, requests):
            for request in requests:
                count = int(pb_utils.get_input_tensor_by_name(request, "count").as_numpy()[0])
                threading.Thread(target=self.work, args=(request.get_response_sender(), count)).start()

        def work(self, sender, count):
            for number in range(count):
                output = pb_utils.Tensor("number", np.array([number], np.int32))
                sender.send(pb_utils.InferenceResponse([output]))
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            try:
                sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            except pb_utils.TritonModelException as error:
                print("refused:", error)
    """,
)
model(
    "repeat_inside",
    REPEAT,
    """
    class TritonPythonModel:
        def execute(self, requests):
            for request in requests:
                sender, left = request.get_response_sender(), int(request.inputs()[0].as_numpy()[0])
                for number in range(left):
                    output = pb_utils.Tensor("number", np.array([number], np.int32))
                    last = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL if number == left - 1 else 0
                    sender.send(pb_utils.InferenceResponse([output]), flags=last)
                # with none: forgotten
    """,
)
model(
    "mortal",
    REPEAT,
    """
    import os, signal, threading

    class TritonPythonModel:
        def execute(self, requests):
            for request in requests:
                work = (request.get_response_sender(), int(request.inputs()[0].as_numpy()[0]))
                threading.Thread(target=self.work, args=work).start()

        def work(self, sender, count):
            for number in range(3):
                sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("number", np.array([number], np.int32))]))
            if count < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
    """,
)
model(
    "repeat_async",
    REPEAT,
    """
    import asyncio

    class TritonPythonModel:
        under_way = 0

        async def execute(self, requests):
            for request in requests:
                sender, count = request.get_response_sender(), int(request.inputs()[0].as_numpy()[0])
                self.under_way += 1
                print(f"repeat_async: {self.under_way} under way")
                await asyncio.sleep(0.3)
                self.under_way -= 1
                if count < 0:
                    error = pb_utils.TritonError(f"{count} is below 0", pb_utils.TritonError.INVALID_ARG)
                    sender.send(pb_utils.InferenceResponse(error=error))
                for number in range(count):
                    sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("number", np.array([number], np.int32))]))
                sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
    """,
)
model(
    "late",
    FP32_4,
    """
    import threading

    class TritonPythonModel:
        def execute(self, requests):
            for request in requests:
                x = request.inputs()[0].as_numpy()
                threading.Timer(0.05, self.work, (request.get_response_sender(), x)).start()

        def work(self, sender, x):
            sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", x + 1)]))
            try:
                sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", x)]))
            except pb_utils.TritonModelException as error:
                print("refused:", error)
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
    """,
)
CALLER = 'input [ { name: "x" data_type: TYPE_FP32 dims: [ 1, 4 ] }, { name: "model" data_type: TYPE_STRING dims: [ 1 ] } ]'
model(
    "bls",
    f'{CALLER} output [ {{ name: "sum" data_type: TYPE_FP32 dims: [ 1, 4 ] }} ]',
    """
    class TritonPythonModel:
        def execute(self, requests):
            return [self.one(request) for request in requests]

        def one(self, request):
            x = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
            name = pb_utils.get_input_tensor_by_name(request, "model").as_numpy()[0].decode()
            inner = pb_utils.InferenceRequest(
                model_name=name, requested_output_names=["OUTPUT0"], request_id="inner",
                inputs=[pb_utils.Tensor("INPUT0", x), pb_utils.Tensor("INPUT1", 2 * x)],
            )
            answer = inner.exec()
            if answer.has_error():
                return pb_utils.InferenceResponse(
                    error=pb_utils.TritonError(f"inside: {answer.error().message()}", answer.error().code())
                )
            assert [tensor.name() for tensor in answer.output_tensors()] == ["OUTPUT0"]
            total = pb_utils.get_output_tensor_by_name(answer, "OUTPUT0")
            return pb_utils.InferenceResponse([pb_utils.Tensor("sum", total.as_numpy())])
    """,
)
model(
    "bls_async",
    f'{CALLER} output [ {{ name: "sum" data_type: TYPE_FP32 dims: [ 1, 4 ] }} ]',
    """
    import asyncio

    class TritonPythonModel:
        async def execute(self, requests):
            responses = []
            for request in requests:
                x, name = (tensor.as_numpy() for tensor in request.inputs())
                waiting = [
                    pb_utils.InferenceRequest(
                        model_name=name[0].decode(), requested_output_names=["OUTPUT0", "OUTPUT1"],
                        inputs=[pb_utils.Tensor("INPUT0", x), pb_utils.Tensor("INPUT1", np.full_like(x, number))],
                    ).async_exec()
                    for number in range(10)
                ]
                answers = await asyncio.gather(*waiting)
                total = sum(pb_utils.get_output_tensor_by_name(answer, "OUTPUT0").as_numpy() for answer in answers)
                responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("sum", total)]))
            return responses
    """,
)
model(
    "bls_decoupled",
    """input [ { name: "count" data_type: TYPE_INT32 dims: [ 1 ] }, { name: "model" data_type: TYPE_STRING dims: [ 1 ] } ]
    output [ { name: "numbers" data_type: TYPE_INT32 dims: [ -1 ] } ]""",
    """
    class TritonPythonModel:
        def execute(self, requests):
            responses = []
            for request in requests:
                count, name = (tensor.as_numpy() for tensor in request.inputs())
                inner = pb_utils.InferenceRequest(
                    model_name=name[0].decode(), requested_output_names=["number"],
                    inputs=[pb_utils.Tensor("count", count)],
                )
                numbers = []
                for answer in inner.exec(decoupled=True):
                    if answer.has_error():
                        raise pb_utils.TritonModelException(answer.error().message())
                    numbers.append(answer.output_tensors()[0].as_numpy()[0])
                outputs = [pb_utils.Tensor("numbers", np.array(numbers, np.int32))]
                responses.append(pb_utils.InferenceResponse(outputs))
            return responses
    """,
)
model(
    "completed_decoupled",
    None,
    """
    class TritonPythonModel:
        @staticmethod
        def auto_complete_config(auto_complete_model_config):
            auto_complete_model_config.add_input({"name": "x", "data_type": "TYPE_FP32", "dims": [4]})
            auto_complete_model_config.add_output({"name": "y", "data_type": "TYPE_FP32", "dims": [4]})
            auto_complete_model_config.set_model_transaction_policy({"decoupled": True})
            return auto_complete_model_config

        def execute(self, requests):
            for request in requests:
                sender = request.get_response_sender()
                for _ in range(3):
                    sender.send(pb_utils.InferenceResponse([pb_utils.Tensor("y", request.inputs()[0].as_numpy())]))
                sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
    """,
)
model(
    "patient",
    f"model_transaction_policy {{ decoupled: true }} {FP32_4}",
    """
    import time

    class TritonPythonModel:
        def execute(self, requests):
            for request in requests:
                sender = request.get_response_sender()
                print("patient began")
                while not sender.is_cancelled():
                    time.sleep(0.01)
                print("patient saw the cancellation")
                error = pb_utils.TritonError("cancelled", pb_utils.TritonError.CANCELLED)
                sender.send(pb_utils.InferenceResponse(error=error), flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
    """,
)
