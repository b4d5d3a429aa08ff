"""TorchServe's gRPC services, called as generated code would call them."""

import subprocess

from google.protobuf import descriptor_pb2, message_factory

from servers import ROOT

INFERENCE = "org.pytorch.serve.grpc.inference"
MANAGEMENT = "org.pytorch.serve.grpc.management"


def messages(folder):
    """By its full name, the class of a message of our protos, as protobuf's own compiler reads them."""
    path = folder / "set"
    source = ROOT / "src/dialect/torchserve/proto"
    names = [f"torchserve_{kind}.proto" for kind in ("inference", "management")]
    subprocess.run(["protoc", f"-I{source}", "--include_imports", f"--descriptor_set_out={path}", *names], check=True)
    found = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
    return message_factory.GetMessages(list(found.file))


class Stub:
    """A service, called by the names of its methods; `metadata` goes with every call."""

    def __init__(self, channel, service, messages, metadata=()):
        self.channel, self.service, self.messages, self.metadata = channel, service, messages, metadata

    def _stub(self, made, method, answer):
        return made(
            f"/{self.service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self.messages[self._name(answer)].FromString,
        )

    def _name(self, kind):
        return kind if "." in kind else f"{self.service.rpartition('.')[0]}.{kind}"

    def call(self, method, kind, answer, streams=False, **fields):
        """The answer, whose message is `answer`, or of a stream all of them."""
        made = self.channel.unary_stream if streams else self.channel.unary_unary
        result = self._stub(made, method, answer)(
            self.messages[self._name(kind)](**fields), timeout=60, metadata=self.metadata
        )
        return list(result) if streams else result

    def stream(self, method, kind, answer, asked):
        """All answers of a call that sends the messages of these fields."""
        sent = iter([self.messages[self._name(kind)](**fields) for fields in asked])
        stub = self._stub(self.channel.stream_stream, method, answer)
        return list(stub(sent, timeout=60, metadata=self.metadata))
