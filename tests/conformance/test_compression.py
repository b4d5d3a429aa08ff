"""Compression by gRPC's Python and C++ clients, both ways. What went over the wire is counted, so that nothing passes by sending
plain what should be compressed."""

import subprocess

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import servers
from programs import interop_program
from wiretap import Wiretap

PROTO = servers.ROOT / "tests/conformance/interop.proto"
REQUEST, RESPONSE = 271_828, 314_159
MOST_WHEN_COMPRESSED = 20_000  # bytes; zeros shrink to a thousandth
BIG = [("grpc.max_receive_message_length", -1)]


@pytest.fixture(scope="session")
def messages(tmp_path_factory):
    """The classes of interop.proto by name."""
    path = tmp_path_factory.mktemp("proto") / "interop.binpb"
    subprocess.run(["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={path}", PROTO.name], check=True)
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file:
        pool.Add(file)
    file = pool.FindFileByName(PROTO.name)
    return {name: message_factory.GetMessageClass(kind) for name, kind in file.message_types_by_name.items()}


@pytest.fixture
def tap(interop_port):
    with Wiretap(interop_port) as tap:
        yield tap


def method(channel, kind, name, response):
    make = getattr(channel, kind)
    return make(
        f"/grpc.testing.TestService/{name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=response.FromString,
    )


@pytest.mark.conformance("grpcio")
@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_grpcio_unary(tap, messages, compression):
    request = messages["SimpleRequest"](response_size=RESPONSE)
    request.payload.body = b"\0" * REQUEST
    with grpc.insecure_channel(tap.address, options=BIG) as channel:
        call = method(channel, "unary_unary", "UnaryCall", messages["SimpleResponse"])
        response = call(request, compression=compression)
        assert response.payload.body == b"\0" * RESPONSE
        assert tap.sent < MOST_WHEN_COMPRESSED
        assert tap.received < MOST_WHEN_COMPRESSED
        # The same call without compression, to see that the counts mean something.
        call(request)
        assert tap.sent > REQUEST
        assert tap.received > RESPONSE


@pytest.mark.conformance("grpcio")
@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_grpcio_client_streaming(tap, messages, compression):
    request = messages["StreamingInputCallRequest"]()
    request.payload.body = b"\0" * REQUEST
    with grpc.insecure_channel(tap.address, options=BIG) as channel:
        call = method(channel, "stream_unary", "StreamingInputCall", messages["StreamingInputCallResponse"])
        response = call(iter([request] * 5), compression=compression)
    assert response.aggregated_payload_size == 5 * REQUEST
    assert tap.sent < MOST_WHEN_COMPRESSED


@pytest.mark.conformance("grpcio")
@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_grpcio_ping_pong(tap, messages, compression):
    request = messages["StreamingOutputCallRequest"]()
    request.payload.body = b"\0" * REQUEST
    request.response_parameters.add(size=RESPONSE)
    with grpc.insecure_channel(tap.address, options=BIG) as channel:
        call = method(channel, "stream_stream", "FullDuplexCall", messages["StreamingOutputCallResponse"])
        sizes = [len(response.payload.body) for response in call(iter([request] * 3), compression=compression)]
    assert sizes == [RESPONSE] * 3
    assert tap.sent < MOST_WHEN_COMPRESSED
    assert tap.received < MOST_WHEN_COMPRESSED


@pytest.mark.conformance("gRPC C++")
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize(("case", "most_sent"), [
    ("unary", MOST_WHEN_COMPRESSED),
    ("client_streaming", REQUEST + MOST_WHEN_COMPRESSED),  # one of its messages goes as it is
    ("server_streaming", MOST_WHEN_COMPRESSED),
])  # fmt: skip
def test_grpcpp(tap, case, most_sent, algorithm):
    result = subprocess.run(
        [interop_program("grpcpp_client"), tap.address, case, algorithm], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert tap.sent < most_sent
    assert tap.received < MOST_WHEN_COMPRESSED
