#include "serve/trace/trace_text.h"

#include <cstring>

#include "base/json_text.h"
#include "tensor/float16.h"

namespace modelmill {
namespace {

template <typename T, typename As = T>
void append_numbers(std::string& out, const Bytes& bytes) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    if (at != 0) out += ',';
    append_json_number(out, static_cast<As>(value));
  }
}

template <float (*ToFloat)(uint16_t)>
void append_halves(std::string& out, const Bytes& bytes) {
  for (size_t at = 0; at + 2 <= bytes.size(); at += 2) {
    uint16_t bits;
    std::memcpy(&bits, bytes.data() + at, sizeof bits);
    if (at != 0) out += ',';
    append_json_number(out, ToFloat(bits));
  }
}

void append_strings(std::string& out, const Bytes& bytes) {
  size_t at = 0;
  while (bytes.size() - at >= sizeof(uint32_t)) {
    uint32_t length;
    std::memcpy(&length, bytes.data() + at, sizeof length);
    if (length > bytes.size() - at - sizeof length) return;
    if (at != 0) out += ',';
    out += '"';
    out += bytes.view().substr(at + sizeof length, length);
    out += '"';
    at += sizeof length + length;
  }
}

/// The elements, with commas between them.
std::string elements(const Tensor& tensor) {
  std::string out;
  const Bytes bytes = tensor.contiguous();
  switch (tensor.dtype) {
    case DataType::kBool:
    case DataType::kUint8: append_numbers<uint8_t, uint64_t>(out, bytes); break;
    case DataType::kUint16: append_numbers<uint16_t, uint64_t>(out, bytes); break;
    case DataType::kUint32: append_numbers<uint32_t, uint64_t>(out, bytes); break;
    case DataType::kUint64: append_numbers<uint64_t>(out, bytes); break;
    case DataType::kInt8: append_numbers<int8_t, int64_t>(out, bytes); break;
    case DataType::kInt16: append_numbers<int16_t, int64_t>(out, bytes); break;
    case DataType::kInt32: append_numbers<int32_t, int64_t>(out, bytes); break;
    case DataType::kInt64: append_numbers<int64_t>(out, bytes); break;
    case DataType::kFp16: append_halves<half_to_float>(out, bytes); break;
    case DataType::kBf16: append_halves<bfloat16_to_float>(out, bytes); break;
    case DataType::kFp32: append_numbers<float>(out, bytes); break;
    case DataType::kFp64: append_numbers<double>(out, bytes); break;
    case DataType::kBytes: append_strings(out, bytes); break;
    case DataType::kInvalid: break;
  }
  return out;
}

}  // namespace

TraceText::TraceText(uint64_t id, std::string_view model, int64_t version, std::string_view request_id) : id_(id) {
  JsonWriter json;
  json.begin_object().field("id", id).field("model_name", model).field("model_version", version);
  if (!request_id.empty()) json.field("request_id", request_id);
  json.end_object();
  text_ = json.take();
}

void TraceText::timestamp(std::string_view name, TimePoint at, const BatchCut& batch) {
  if (at == TimePoint{}) return;
  JsonWriter json;
  json.begin_object().field("id", id_).key("timestamps").begin_array();
  json.begin_object().field("name", name).field("ns", to_ns(at));
  if (batch.rows > 0) json.field("batch_size", batch.rows).field("cut_reason", cut_reason_name(batch.reason));
  json.end_object().end_array().end_object();
  text_ += ',';
  text_ += json.text();
}

void TraceText::tensor(std::string_view activity, const Tensor& tensor) {
  std::string shape;
  for (const int64_t size : tensor.shape) shape += (shape.empty() ? "" : ",") + std::to_string(size);
  JsonWriter json;
  json.begin_object().field("id", id_).field("activity", activity).key("tensor").begin_object();
  json.field("name", tensor.name).field("data", elements(tensor)).field("shape", shape);
  json.field("dtype", dtype_name(tensor.dtype)).end_object().end_object();
  text_ += ',';
  text_ += json.text();
}

}  // namespace modelmill
