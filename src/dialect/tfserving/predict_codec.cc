#include "dialect/tfserving/predict_codec.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "dialect/proto_text.h"
#include "model/tf_tensor_proto.h"

namespace modelmill::tfserving {
namespace {

/// So many elements may stand for values that a request leaves out, as the last one that it has.
constexpr int64_t kMostRepeated = 1 << 20;

Status unreadable(const std::string& name) {
  return invalid_argument("input '" + name + "' does not parse as a TensorProto; check the client's protos");
}

/// The elements that the scanner put in their place; none where values are to be read.
Chunks elements_in_place(ScannedTensor& from, DataType dtype) {
  Chunks out;
  if (!from.content.empty() && dtype != DataType::kBytes) {
    out.push_back(std::move(from.content));
  } else if (dtype == DataType::kFp32) {
    out.assign(from.packed_floats.begin(), from.packed_floats.end());
  } else if (dtype == DataType::kFp64) {
    out.assign(from.packed_doubles.begin(), from.packed_doubles.end());
  }
  return out;
}

/// Fewer values than elements: the last one stands for the others.
Status repeat_last(Tensor& tensor, int64_t count) {
  const size_t element = dtype_size(tensor.dtype);
  const Bytes given = tensor.contiguous();
  const auto wanted = static_cast<size_t>(count) * element;
  if (given.size() >= wanted || given.size() < element || given.size() % element != 0) return ok_status();
  if (count > kMostRepeated)
    return invalid_argument("input '" + tensor.name + "' has " + std::to_string(given.size() / element) +
                            " values for " + std::to_string(count) + " elements; send them all");
  MemoryRef memory = Memory::allocate(wanted);
  std::memcpy(memory->data(), given.data(), given.size());
  for (size_t at = given.size(); at < wanted; at += element)
    std::memcpy(memory->data() + at, given.data() + given.size() - element, element);
  tensor.data = {Bytes(std::move(memory))};
  return ok_status();
}

Result<Tensor> read_tensor(ScannedTensor& from) {
  tensorflow::TensorProto proto;
  if (!proto.ParseFromArray(from.fields.data(), static_cast<int>(from.fields.size()))) return unreadable(from.name);
  const DataType dtype = dtype_of_tf(proto.dtype());
  const bool typed = from.content.empty() || dtype == DataType::kBytes;
  Chunks elements = elements_in_place(from, dtype);
  Shape shape;
  for (const auto& dim : proto.tensor_shape().dim()) shape.push_back(dim.size());
  const auto count = element_count(dims(shape));
  if (elements.empty()) {
    if (count && *count > kMostRepeated && static_cast<size_t>(*count) > from.fields.size())
      return invalid_argument("input '" + from.name + "' has fewer values than its shape " + shape_text(dims(shape)) +
                              " has elements; send them all");
    return tensor_of_proto(from.name, proto);
  }
  if (proto.tensor_shape().unknown_rank() || !count || shape.size() > kMaxRank)
    return invalid_argument("input '" + from.name + "' has the shape " + shape_text(dims(shape)) +
                            (proto.tensor_shape().unknown_rank() ? " of unknown rank" : "") +
                            "; a tensor's sizes are 0 or more, and not more than 32");
  Tensor tensor{std::move(from.name), dtype, std::move(shape), std::move(elements)};
  if (typed) MM_RETURN_IF_ERROR(repeat_last(tensor, *count));
  MM_RETURN_IF_ERROR(check_tensor_bytes(tensor));
  return tensor;
}

/// A tensor's elements as fields of a TensorProto: what is written for it, and then, for those that lie in memory as
/// they are sent, the tensor's own memory.
struct EncodedTensor {
  std::string fields;
  bool own_memory = false;
  size_t size = 0;
};

template <typename T>
void append_packed(std::string& out, uint32_t field, const Bytes& elements) {
  std::string packed;
  packed.reserve(elements.size() + 16);
  for (size_t at = 0; at + sizeof(T) <= elements.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, elements.data() + at, sizeof value);
    append_varint(packed, static_cast<uint64_t>(static_cast<int64_t>(value)));
  }
  append_bytes(out, field, packed);
}

void append_strings(std::string& out, const Bytes& elements) {
  std::string_view rest = elements.view();
  while (rest.size() >= sizeof(uint32_t)) {
    uint32_t length = 0;
    std::memcpy(&length, rest.data(), sizeof length);
    append_bytes(out, 8, rest.substr(sizeof length, length));
    rest.remove_prefix(std::min(rest.size(), sizeof length + length));
  }
}

/// The field of TensorProto that takes the elements as they lie in memory; nullopt where they must be written.
std::optional<uint32_t> raw_field(DataType dtype) {
  switch (dtype) {
    case DataType::kFp32: return 5;
    case DataType::kFp64: return 6;
    case DataType::kBool: return 11;
    default: return std::nullopt;
  }
}

void append_values(std::string& out, DataType dtype, const Bytes& elements) {
  switch (dtype) {
    case DataType::kInt8: return append_packed<int8_t>(out, 7, elements);
    case DataType::kInt16: return append_packed<int16_t>(out, 7, elements);
    case DataType::kInt32: return append_packed<int32_t>(out, 7, elements);
    case DataType::kUint8: return append_packed<uint8_t>(out, 7, elements);
    case DataType::kUint16: return append_packed<uint16_t>(out, 7, elements);
    case DataType::kInt64: return append_packed<int64_t>(out, 10, elements);
    case DataType::kUint32: return append_packed<uint32_t>(out, 16, elements);
    case DataType::kUint64: return append_packed<uint64_t>(out, 17, elements);
    case DataType::kFp16:
    case DataType::kBf16: return append_packed<uint16_t>(out, 13, elements);
    case DataType::kBytes: return append_strings(out, elements);
    default: return;
  }
}

EncodedTensor encode(const Tensor& tensor) {
  EncodedTensor out;
  append_varint_field(out.fields, 1, static_cast<uint64_t>(tf_dtype(tensor.dtype)));
  std::string shape;
  for (const int64_t size : tensor.shape) {
    std::string dim;
    append_varint_field(dim, 1, static_cast<uint64_t>(size));
    append_bytes(shape, 2, dim);
  }
  append_bytes(out.fields, 2, shape);
  const size_t elements = tensor.byte_size();
  if (const auto field = raw_field(tensor.dtype)) {
    append_tag(out.fields, *field, WireType::kBytes);
    append_varint(out.fields, elements);
    out.own_memory = true;
  } else {
    append_values(out.fields, tensor.dtype, tensor.contiguous());
  }
  out.size = out.fields.size() + (out.own_memory ? elements : 0);
  return out;
}

/// An entry of the map of tensors that is `field`, up to the elements that are the tensor's own memory.
void append_entry_head(std::string& out, uint32_t field, std::string_view name, const EncodedTensor& encoded) {
  std::string entry;
  append_bytes(entry, 1, name);
  append_tag(entry, 2, WireType::kBytes);
  append_varint(entry, encoded.size);
  append_tag(out, field, WireType::kBytes);
  append_varint(out, entry.size() + encoded.size);
  out += entry;
  out += encoded.fields;
}

}  // namespace

std::string model_spec(const PredictSpec& spec) {
  std::string out, version;
  append_bytes(out, 1, spec.model);
  append_varint_field(version, 1, static_cast<uint64_t>(spec.version));
  append_bytes(out, 2, version);
  if (!spec.signature.empty()) append_bytes(out, 3, spec.signature);
  return out;
}

Status read_predict_request(PredictScanner& scanned, InferRequest& request) {
  for (ScannedTensor& from : scanned.tensors()) {
    MM_ASSIGN_OR_RETURN(Tensor tensor, read_tensor(from));
    // A name that comes twice: the last one counts, as in any map.
    const auto same = std::find_if(request.inputs.begin(), request.inputs.end(),
                                   [&](const Tensor& known) { return known.name == tensor.name; });
    if (same != request.inputs.end())
      *same = std::move(tensor);
    else
      request.inputs.push_back(std::move(tensor));
  }
  for (const std::string& name : scanned.output_filter()) request.outputs.push_back({name});
  return ok_status();
}

std::string write_predict_request(const InferRequest& request, const PredictSpec& spec) {
  std::string out;
  append_bytes(out, 1, model_spec(spec));
  for (const Tensor& tensor : request.inputs) {
    const EncodedTensor encoded = encode(tensor);
    append_entry_head(out, 2, tensor.name, encoded);
    if (encoded.own_memory)
      for (const Bytes& part : tensor.data) out += part.view();
  }
  for (const RequestedOutput& output : request.outputs) append_bytes(out, 3, output.name);
  return out;
}

Chunks write_predict_response(const InferResponse& response, const PredictSpec& spec) {
  Chunks out;
  std::string text;
  append_bytes(text, 2, model_spec(spec));
  for (const Tensor& tensor : response.outputs) {
    const EncodedTensor encoded = encode(tensor);
    append_entry_head(text, 1, tensor.name, encoded);
    if (!encoded.own_memory) continue;
    out.push_back(Bytes::from_string(std::exchange(text, {})));
    out.insert(out.end(), tensor.data.begin(), tensor.data.end());
  }
  if (!text.empty()) out.push_back(Bytes::from_string(std::move(text)));
  return out;
}

}  // namespace modelmill::tfserving
