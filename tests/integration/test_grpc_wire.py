"""gRPC as other clients speak it: grpcio and raw messages, health, reflection, deadlines, cancelling, compression."""

import threading

import grpc
import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

import models
import repositories
from servers import wait_until

BIG = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@pytest.fixture
def channel(main_server):
    with grpc.insecure_channel(main_server.address, options=BIG) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


def infer_request(model, tensors, version="", **options):
    """tensors: {name: (dtype, shape, raw bytes)}."""
    request = service_pb2.ModelInferRequest(model_name=model, model_version=version, **options)
    for name, (dtype, shape, raw) in tensors.items():
        request.inputs.add(name=name, datatype=dtype, shape=shape)
        request.raw_input_contents.append(raw)
    return request


def row_request(value=1.0, model="versions", **options):
    return infer_request(model, {"x": ("FP32", [1, 4], np.full(4, value, np.float32).tobytes())}, **options)


# ---- typed contents ----------------------------------------------------------------------------------------------

TYPED = {
    "BOOL": ("bool_contents", [True, False, True]),
    "UINT8": ("uint_contents", [0, 7, 255]),
    "UINT16": ("uint_contents", [0, 7, 65535]),
    "UINT32": ("uint_contents", [0, 7, 2**32 - 1]),
    "UINT64": ("uint64_contents", [0, 7, 2**64 - 1]),
    "INT8": ("int_contents", [-128, 0, 127]),
    "INT16": ("int_contents", [-32768, 0, 32767]),
    "INT32": ("int_contents", [-(2**31), 0, 2**31 - 1]),
    "INT64": ("int64_contents", [-(2**63), 0, 2**63 - 1]),
    "FP32": ("fp32_contents", [1.5, -0.25, 3e38]),
    "FP64": ("fp64_contents", [1.5, -0.25, 1e300]),
    "BYTES": ("bytes_contents", [b"", b"abc", b"\x00\xff"]),
}


def raw_bytes(dtype, values):
    if dtype == "BYTES":
        return b"".join(len(v).to_bytes(4, "little") + v for v in values)
    return np.array(values, models.DTYPES[dtype][1]).tobytes()


@pytest.mark.parametrize("dtype", TYPED)
def test_typed_contents(stub, dtype):
    field, values = TYPED[dtype]
    request = service_pb2.ModelInferRequest(model_name=f"identity_{dtype.lower()}")
    tensor = request.inputs.add(name="x", datatype=dtype, shape=[1, 3])
    getattr(tensor.contents, field).extend(values)
    response = stub.ModelInfer(request)
    assert response.outputs[0].name == "y"
    assert response.outputs[0].datatype == dtype
    assert list(response.outputs[0].shape) == [1, 3]
    assert response.raw_output_contents[0] == raw_bytes(dtype, values)


@pytest.mark.parametrize("dtype", ["FP16", "BF16"])
def test_types_without_contents(stub, dtype):
    raw = bytes([1, 2, 3, 4, 5, 6])
    response = stub.ModelInfer(infer_request(f"identity_{dtype.lower()}", {"x": (dtype, [1, 3], raw)}))
    assert response.raw_output_contents[0] == raw


def test_typed_contents_of_two_inputs(stub):
    request = service_pb2.ModelInferRequest(model_name="simple")
    for name in ("INPUT0", "INPUT1"):
        request.inputs.add(name=name, datatype="INT32", shape=[1, 16]).contents.int_contents.extend(range(16))
    response = stub.ModelInfer(request)
    outputs = {o.name: np.frombuffer(raw, np.int32) for o, raw in zip(response.outputs, response.raw_output_contents)}
    np.testing.assert_array_equal(outputs["OUTPUT0"], np.arange(16) * 2)


def test_contents_in_the_wrong_field(stub):
    request = service_pb2.ModelInferRequest(model_name="identity_int32")
    request.inputs.add(name="x", datatype="INT32", shape=[1, 1]).contents.fp32_contents.append(1.0)
    assert_code(lambda: stub.ModelInfer(request), grpc.StatusCode.INVALID_ARGUMENT, "x")


def test_raw_and_typed_together(stub):
    request = row_request()
    request.inputs[0].contents.fp32_contents.extend([1, 2, 3, 4])
    assert_code(
        lambda: stub.ModelInfer(request),
        grpc.StatusCode.INVALID_ARGUMENT,
        "contents field must not be specified when using raw_input_contents for 'x' for model 'versions'",
    )


def test_raw_contents_too_few(stub):
    request = infer_request("simple", {"INPUT0": ("INT32", [1, 16], b"\0" * 64)})
    request.inputs.add(name="INPUT1", datatype="INT32", shape=[1, 16])
    assert_code(
        lambda: stub.ModelInfer(request),
        grpc.StatusCode.INVALID_ARGUMENT,
        "unable to find data for input tensor 'INPUT1' for model 'simple' in request",
    )


def test_raw_contents_of_the_wrong_size(stub):
    request = infer_request("versions", {"x": ("FP32", [1, 4], b"\0" * 15)})
    assert_code(
        lambda: stub.ModelInfer(request),
        grpc.StatusCode.INVALID_ARGUMENT,
        "input byte size mismatch for input 'x' for model 'versions'. Expected 16, got 15",
    )


def test_unknown_data_type(stub):
    request = infer_request("versions", {"x": ("FP31", [1, 4], b"\0" * 16)})
    assert_code(lambda: stub.ModelInfer(request), grpc.StatusCode.INVALID_ARGUMENT, "x")


@pytest.mark.parametrize(
    "shape", [[2**63 - 1, 4], [2**62, 4], [2**31, 2**31, 4], [-1, 4], [-(2**63), 4], [1] * 100], ids=str
)
def test_shapes_out_of_this_world(main_server, stub, shape):
    request = infer_request("versions", {"x": ("FP32", shape, b"\0" * 16)})
    assert_code(lambda: stub.ModelInfer(request), grpc.StatusCode.INVALID_ARGUMENT, "x")
    main_server.assert_alive()


def test_typed_contents_fewer_than_the_shape(stub):
    request = service_pb2.ModelInferRequest(model_name="versions")
    request.inputs.add(name="x", datatype="FP32", shape=[1, 4]).contents.fp32_contents.extend([1, 2, 3])
    assert_code(lambda: stub.ModelInfer(request), grpc.StatusCode.INVALID_ARGUMENT, "x")


def test_strings_that_are_cut(stub):
    for raw in (b"\x05\0\0\0abc", b"\x05\0", b"\x01\0\0\0a\x01\0\0\0b", b""):
        request = infer_request("identity_bytes", {"x": ("BYTES", [1, 1], raw)})
        assert_code(lambda: stub.ModelInfer(request), grpc.StatusCode.INVALID_ARGUMENT, "x")  # noqa: B023


def assert_code(call, code, *texts):
    with pytest.raises(grpc.RpcError) as error:
        call()
    assert error.value.code() == code, (error.value.code(), error.value.details())
    for text in texts:
        assert text in error.value.details(), error.value.details()


# ---- the services beside inference -----------------------------------------------------------------------------


def test_health_service(channel):
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    assert health.Check(health_pb2.HealthCheckRequest()).status == serving
    assert health.Check(health_pb2.HealthCheckRequest(service="inference.GRPCInferenceService")).status == serving
    assert_code(lambda: health.Check(health_pb2.HealthCheckRequest(service="no.such")), grpc.StatusCode.NOT_FOUND)
    watch = health.Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == serving
    watch.cancel()
    watch = health.Watch(health_pb2.HealthCheckRequest(service="no.such"))
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def reflect(channel, **request):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    return next(iter(stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**request)]))))


def test_reflection_lists_services(channel):
    response = reflect(channel, list_services="")
    names = {service.name for service in response.list_services_response.service}
    assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= names
    assert any(name.startswith("grpc.reflection.") for name in names)


def test_reflection_of_what_is_not_there(channel):
    response = reflect(channel, file_containing_symbol="no.such.Symbol")
    assert response.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def reflected_files(channel):
    """All files behind our service, by name."""
    files = {}

    def take(response):
        for blob in response.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(blob)
            files[file.name] = file

    take(reflect(channel, file_containing_symbol="inference.GRPCInferenceService"))
    while missing := {d for file in files.values() for d in file.dependency} - set(files):
        name = missing.pop()
        take(reflect(channel, file_by_filename=name))
        assert name in files
    return files


def messages(files):
    """{full name: DescriptorProto} and {full name: EnumDescriptorProto} of everything in package inference."""
    found, enums = {}, {}

    def walk(prefix, message):
        name = f"{prefix}.{message.name}"
        found[name] = message
        for inner in message.nested_type:
            walk(name, inner)
        for enum in message.enum_type:
            enums[f"{name}.{enum.name}"] = enum

    for file in files:
        if file.package == "inference":
            for message in file.message_type:
                walk(".inference", message)
            for enum in file.enum_type:
                enums[f".inference.{enum.name}"] = enum
    return found, enums


def test_protos_are_wire_compatible(channel):
    """Every message, field, enum and method of ours is Triton's: number, type, label, oneof; none is missing."""
    ours, our_enums = messages(reflected_files(channel).values())
    theirs_files = []
    for module in (service_pb2, model_config_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        theirs_files.append(file)
    theirs, their_enums = messages(theirs_files)
    infer = {name for name in theirs if "Repository" not in name and "SharedMemory" not in name}
    infer -= {name for name in theirs if name.startswith((".inference.TraceSetting", ".inference.LogSettings"))}
    assert infer - set(ours) == set()

    def fields(message):
        oneofs = [oneof.name for oneof in message.oneof_decl]
        return {
            field.number: (
                field.name,
                field.type,
                field.label,
                field.type_name,
                oneofs[field.oneof_index] if field.HasField("oneof_index") else None,
            )
            for field in message.field
        }

    differences = []
    for name in sorted(set(ours) & set(theirs)):
        mine, reference = fields(ours[name]), fields(theirs[name])
        for number in sorted(set(mine) | set(reference)):
            if mine.get(number) != reference.get(number):
                differences.append((name, number, mine.get(number), reference.get(number)))
    for name in sorted(set(our_enums) & set(their_enums)):
        mine = {(v.name, v.number) for v in our_enums[name].value}
        reference = {(v.name, v.number) for v in their_enums[name].value}
        if mine != reference:
            differences.append((name, sorted(mine ^ reference)))
    assert not differences
    assert set(their_enums) - set(our_enums) == set()


def test_methods_are_tritons(channel):
    files = reflected_files(channel).values()
    service = next(s for f in files if f.package == "inference" for s in f.service if s.name == "GRPCInferenceService")
    ours = {m.name: (m.input_type, m.output_type, m.client_streaming, m.server_streaming) for m in service.method}
    file = descriptor_pb2.FileDescriptorProto()
    service_pb2.DESCRIPTOR.CopyToProto(file)
    theirs = {
        m.name: (m.input_type, m.output_type, m.client_streaming, m.server_streaming) for m in file.service[0].method
    }
    assert {name: theirs.get(name) for name in ours} == ours
    assert {
        "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelStreamInfer",
        "ModelConfig", "ModelStatistics",
    } <= set(ours)  # fmt: skip


def test_unknown_method(channel):
    call = channel.unary_unary("/inference.GRPCInferenceService/NoSuchMethod")
    assert_code(lambda: call(b""), grpc.StatusCode.UNIMPLEMENTED)
    call = channel.unary_unary("/no.such.Service/Method")
    assert_code(lambda: call(b""), grpc.StatusCode.UNIMPLEMENTED)


def test_message_that_is_none(main_server, channel):
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    for blob in (
        b"\xff" * 100,
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x2a\x05abc",
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ):
        with pytest.raises(grpc.RpcError) as error:
            call(blob)
        assert error.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL), error.value
    main_server.assert_alive()


def test_empty_message(stub):
    with pytest.raises(grpc.RpcError) as error:
        stub.ModelInfer(service_pb2.ModelInferRequest())
    assert error.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


def test_fields_of_the_future_are_passed_over(channel):
    """Unknown fields of a message do no harm, wherever they stand."""
    request = row_request().SerializeToString()
    unknown = b"\xfa\x3f\x03abc" + b"\xf8\x3f\x05"  # field 1023: bytes, then a varint
    call = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer", response_deserializer=service_pb2.ModelInferResponse.FromString
    )
    response = call(unknown + request + unknown)
    np.testing.assert_array_equal(np.frombuffer(response.raw_output_contents[0], np.float32), [3, 3, 3, 3])


def test_fields_in_another_order(channel):
    """Raw contents before the inputs they belong to, which protobuf allows."""
    tensor = service_pb2.ModelInferRequest()
    tensor.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    name = service_pb2.ModelInferRequest(model_name="versions")
    raw = service_pb2.ModelInferRequest(raw_input_contents=[np.ones(4, np.float32).tobytes()])
    call = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer", response_deserializer=service_pb2.ModelInferResponse.FromString
    )
    response = call(b"".join(part.SerializeToString() for part in (raw, tensor, name)))
    np.testing.assert_array_equal(np.frombuffer(response.raw_output_contents[0], np.float32), [3, 3, 3, 3])


# ---- deadlines, cancellation, size -------------------------------------------------------------------------------


def test_deadline(serve, tmp_path):
    """A call whose deadline passes ends as such, and its work is not done when it had not begun."""
    # One row at a time: all of them in one batch would have begun in time.
    folder = tmp_path / "models"
    repositories.add(folder, "slow", models.slow(turns=200_000), 'backend: "onnxruntime" max_batch_size: 0')
    server = serve(folder, "--instances=1")
    with grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        stub.ModelInfer(row_request(model="slow"))
        calls = [stub.ModelInfer.future(row_request(model="slow"), timeout=0.05) for _ in range(20)]
        for call in calls:
            assert call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        np.testing.assert_array_equal(
            np.frombuffer(stub.ModelInfer(row_request(2, model="slow")).raw_output_contents[0], np.float32), [4] * 4
        )
    assert server.stats("slow")["inference_count"] < 22
    server.stop()


def test_stream_cancelled_in_the_middle(main_server, stub):
    ended = threading.Event()

    def requests():
        yield row_request(1)
        ended.wait(60)

    call = stub.ModelStreamInfer(requests())
    assert next(call).infer_response.model_name == "versions"
    call.cancel()
    ended.set()
    assert_code(lambda: list(call), grpc.StatusCode.CANCELLED)
    main_server.assert_alive()


def test_large_messages_both_ways(stub):
    raw = np.random.default_rng(1).standard_normal(16 << 20).astype(np.float32).tobytes()  # 64 MB
    response = stub.ModelInfer(infer_request("native_identity", {"INPUT0": ("FP32", [1, 16 << 20], raw)}))
    assert response.raw_output_contents[0] == raw


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_calls(stub, compression):
    response = stub.ModelInfer(row_request(5), compression=compression)
    np.testing.assert_array_equal(np.frombuffer(response.raw_output_contents[0], np.float32), [15] * 4)


def test_many_calls_on_one_connection(stub):
    """More at once than the streams that a connection may have open."""
    calls = [(value, stub.ModelInfer.future(row_request(value))) for value in range(3000)]
    for value, call in calls:
        raw = call.result(timeout=60).raw_output_contents[0]
        assert np.frombuffer(raw, np.float32)[0] == value * 3


def test_metadata_does_no_harm(stub):
    metadata = [("x-request-id", "abc"), ("blob-bin", b"\x00\xff"), ("x-long", "v" * 4000)]
    assert stub.ModelInfer(row_request(), metadata=metadata).model_name == "versions"


def test_reconnect_many_times(main_server):
    for _ in range(50):
        with grpc.insecure_channel(main_server.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            assert service_pb2_grpc.GRPCInferenceServiceStub(channel).ServerLive(service_pb2.ServerLiveRequest()).live
    # Connections of closed channels do not stay.
    wait_until(lambda: main_server.is_ready(), "the server is ready")
