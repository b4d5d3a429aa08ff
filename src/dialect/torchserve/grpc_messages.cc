#include "dialect/torchserve/grpc_messages.h"

#include <utility>

#include "dialect/proto_wire.h"
#include "google_rpc.pb.h"
#include "torchserve_inference.pb.h"

namespace modelmill::torchserve {
namespace {

/// One entry of the map `input`: a name and bytes of the message's memory.
Status read_entry(const Bytes& message, std::string_view entry, Field& field) {
  ProtoReader reader(entry);
  while (reader.next()) {
    if (reader.is(1, WireType::kBytes)) field.name = reader.bytes();
    if (!reader.is(2, WireType::kBytes)) continue;
    const std::string_view value = reader.bytes();
    field.value = message.slice(static_cast<size_t>(value.data() - message.view().data()), value.size());
  }
  return reader.ok() ? ok_status() : invalid_argument("an entry of the message's input does not parse");
}

}  // namespace

Status read_predictions_request(const Bytes& message, PredictionsRequest& request) {
  ProtoReader reader(message.view());
  while (reader.next()) {
    if (reader.is(1, WireType::kBytes)) request.model = reader.bytes();
    if (reader.is(2, WireType::kBytes)) request.version = reader.bytes();
    if (reader.is(3, WireType::kBytes))
      MM_RETURN_IF_ERROR(read_entry(message, reader.bytes(), request.fields.emplace_back()));
    if (reader.is(4, WireType::kBytes)) request.sequence = reader.bytes();
  }
  return reader.ok() ? ok_status()
                     : invalid_argument("the request does not parse as a protobuf message; check the client's protos");
}

Chunks response_message(Chunks prediction, std::string_view sequence) {
  size_t size = 0;
  for (const Bytes& piece : prediction) size += piece.size();
  const size_t named = sequence.empty() ? 0 : bytes_field_size(sequence.size());
  const size_t prefix = size == 0 ? 0 : 1 + varint_size(size);
  if (named + prefix == 0) return {};
  MemoryRef head = Memory::allocate(named + prefix);
  ProtoWriter writer(head->data());
  if (named > 0) writer.bytes(2, sequence);
  if (prefix > 0) writer.length_prefix(1, size);
  prediction.insert(prediction.begin(), Bytes(std::move(head)));
  return prediction;
}

Chunks error_message(Code code, const std::string& message, const std::string& reason, const std::string& sequence) {
  org::pytorch::serve::grpc::inference::PredictionResponse response;
  if (!sequence.empty()) response.set_sequence_id(sequence);
  google::rpc::Status& status = *response.mutable_status();
  status.set_code(static_cast<int>(code));
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  status.add_details()->PackFrom(info);
  Chunks chunks;
  chunks.push_back(Bytes::from_string(response.SerializeAsString()));
  return chunks;
}

}  // namespace modelmill::torchserve
