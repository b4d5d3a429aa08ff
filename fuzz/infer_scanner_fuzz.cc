// ModelInferRequest as we read it, in any pieces, against protobuf's own parser: what that accepts is the same here.
#include <cstring>
#include <string>

#include "base/check.h"
#include "dialect/kserve_v2/infer_request_codec.h"
#include "dialect/kserve_v2/infer_scanner.h"
#include "grpc_service.pb.h"
#include "input.h"
#include "serve/testing/fake_version.h"
#include "targets.h"

namespace modelmill::fuzz {
namespace {

using google::protobuf::Message;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;
using Proto = inference::ModelInferRequest;
using Raw = boost::container::small_vector<Bytes, 2>;

bool has_group(const UnknownFieldSet& fields) {
  for (int i = 0; i < fields.field_count(); ++i)
    if (fields.field(i).type() == UnknownField::TYPE_GROUP) return true;
  return false;
}

/// Whether the message or one inside it has fields that its .proto does not know (`groups_only`: groups among them,
/// which proto3 does not have and we refuse).
bool has_unknown(const Message& message, bool groups_only) {
  const auto* reflection = message.GetReflection();
  const UnknownFieldSet& unknown = reflection->GetUnknownFields(message);
  if (groups_only ? has_group(unknown) : !unknown.empty()) return true;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      if (has_unknown(reflection->GetMessage(message, field), groups_only)) return true;
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i)
      if (has_unknown(reflection->GetRepeatedMessage(message, field, i), groups_only)) return true;
  }
  return false;
}

template <typename To, typename From>
std::string elements(const From& from) {
  std::string bytes;
  for (const auto value : from) {
    const auto element = static_cast<To>(value);
    bytes.append(reinterpret_cast<const char*>(&element), sizeof element);
  }
  return bytes;
}

std::string strings(const google::protobuf::RepeatedPtrField<std::string>& from) {
  std::string bytes;
  for (const std::string& text : from) {
    const auto length = static_cast<uint32_t>(text.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes += text;
  }
  return bytes;
}

/// The bytes of the elements in the field that belongs to the type.
std::string expected_bytes(const inference::InferTensorContents& contents, DataType dtype) {
  switch (dtype) {
    case DataType::kBool: return elements<uint8_t>(contents.bool_contents());
    case DataType::kInt8: return elements<int8_t>(contents.int_contents());
    case DataType::kInt16: return elements<int16_t>(contents.int_contents());
    case DataType::kInt32: return elements<int32_t>(contents.int_contents());
    case DataType::kInt64: return elements<int64_t>(contents.int64_contents());
    case DataType::kUint8: return elements<uint8_t>(contents.uint_contents());
    case DataType::kUint16: return elements<uint16_t>(contents.uint_contents());
    case DataType::kUint32: return elements<uint32_t>(contents.uint_contents());
    case DataType::kUint64: return elements<uint64_t>(contents.uint64_contents());
    case DataType::kFp32: return elements<float>(contents.fp32_contents());
    case DataType::kFp64: return elements<double>(contents.fp64_contents());
    case DataType::kBytes: return strings(contents.bytes_contents());
    default: return "";
  }
}

std::string joined(const Chunks& chunks) {
  std::string all;
  for (const Bytes& bytes : chunks) all += bytes.view();
  return all;
}

void compare(const Proto& expected, const InferRequest& request) {
  MM_CHECK(request.model == expected.model_name() && request.id == expected.id(), "names are the same");
  MM_CHECK(request.inputs.size() == static_cast<size_t>(expected.inputs_size()), "as many inputs");
  MM_CHECK(request.outputs.size() == static_cast<size_t>(expected.outputs_size()), "as many outputs");
  for (int i = 0; i < expected.outputs_size(); ++i)
    MM_CHECK(request.outputs[static_cast<size_t>(i)].name == expected.outputs(i).name(), "an output's name");
  int raw = 0;
  for (int i = 0; i < expected.inputs_size(); ++i) {
    const auto& input = expected.inputs(i);
    const Tensor& tensor = request.inputs[static_cast<size_t>(i)];
    MM_CHECK(tensor.name == input.name() && dtype_name(tensor.dtype) == input.datatype(), "an input's name and type");
    MM_CHECK(std::equal(tensor.shape.begin(), tensor.shape.end(), input.shape().begin(), input.shape().end()),
             "an input's shape");
    const std::string bytes =
        input.has_contents() ? expected_bytes(input.contents(), tensor.dtype) : expected.raw_input_contents(raw++);
    MM_CHECK(joined(tensor.data) == bytes, "an input's bytes");
  }
}

/// Whether all elements are in the field that belongs to the type.
bool has_one_type(const inference::InferTensorContents& contents, DataType dtype) {
  const int fields = (contents.bool_contents_size() > 0) + (contents.int_contents_size() > 0) +
                     (contents.int64_contents_size() > 0) + (contents.uint_contents_size() > 0) +
                     (contents.uint64_contents_size() > 0) + (contents.fp32_contents_size() > 0) +
                     (contents.fp64_contents_size() > 0) + (contents.bytes_contents_size() > 0);
  return fields == 0 || (fields == 1 && !expected_bytes(contents, dtype).empty());
}

/// Whether there is nothing in it that a server may refuse.
bool is_plain(const Proto& request) {
  int raw = 0;
  bool typed = false;
  if (!request.model_version().empty() || request.parameters_size() != 0) return false;
  for (const auto& output : request.outputs())
    if (output.parameters_size() != 0) return false;
  for (const auto& input : request.inputs()) {
    const auto dtype = parse_dtype(input.datatype());
    if (!dtype || input.parameters_size() != 0 || input.shape_size() > static_cast<int>(kMaxRank)) return false;
    if (!input.has_contents()) {
      ++raw;
      continue;
    }
    typed = true;
    if (!has_one_type(input.contents(), *dtype)) return false;
  }
  return raw == request.raw_input_contents_size() && (!typed || raw == 0);
}

}  // namespace

void infer_scanner(std::string_view bytes) {
  static kserve_v2::InferScanner scanner;  // reused from message to message, as a stream of requests does
  Input input(bytes);
  const std::string_view message = input.content();
  scanner.begin(message.size());
  cut(input, message, [](std::string_view piece) { scanner.feed(std::as_bytes(std::span(piece))); });
  const Status scanned = scanner.end();

  Proto expected;
  const bool valid = expected.ParseFromArray(message.data(), static_cast<int>(message.size()));
  InferRequest request(std::make_shared<testing::RecordingSink>());
  kserve_v2::InferOptions options;
  if (!scanned.ok()) {
    MM_CHECK(!valid || has_unknown(expected, true), "what protobuf accepts is scanned");
    request.finish();
    return;
  }
  Raw raw = scanner.raw_contents();
  Proto fields;
  if (valid) {
    MM_CHECK(raw.size() == static_cast<size_t>(expected.raw_input_contents_size()), "as many raw contents");
    for (size_t i = 0; i < raw.size(); ++i) {
      MM_CHECK(raw[i].view() == expected.raw_input_contents(static_cast<int>(i)), "raw contents are the same");
      MM_CHECK(reinterpret_cast<uintptr_t>(raw[i].data()) % kAlignment == 0, "and aligned");
    }
    MM_CHECK(fields.ParseFromArray(scanner.fields().data(), static_cast<int>(scanner.fields().size())), "fields parse");
    fields.mutable_raw_input_contents()->CopyFrom(expected.raw_input_contents());
    MM_CHECK(fields.SerializeAsString().size() == expected.SerializeAsString().size(), "the other fields are the same");
  }
  kserve_v2::SharedTensors shared;  // without a region: what names one is refused
  const Status parsed = kserve_v2::parse_infer_request(scanner.fields(), raw, request, options, shared);
  if (valid && parsed.ok()) compare(expected, request);
  // Contents in two parts, which protobuf merges, are refused; so are fields of a type that is not theirs, which it
  // takes for unknown.
  if (valid && !parsed.ok() && parsed.message().find("its contents") == std::string::npos)
    MM_CHECK(has_unknown(expected, false) || !is_plain(expected), parsed.to_string().c_str());
  request.finish();
}

}  // namespace modelmill::fuzz
