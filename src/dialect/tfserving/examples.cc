#include "dialect/tfserving/examples.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "dialect/proto_wire.h"
#include "tensorflow.pb.h"

namespace modelmill::tfserving {
namespace {

using tensorflow::Feature;

Status broken_input() {
  return invalid_argument("the request's Input does not parse as a protobuf message; check the client's protos");
}

/// Adds the examples of an ExampleList or an ExampleListWithContext.
bool read_list(std::string_view bytes, bool with_context, Examples& out) {
  ProtoReader reader(bytes);
  while (reader.next()) {
    if (reader.is(1, WireType::kBytes)) out.list.push_back(reader.bytes());
    if (with_context && reader.is(2, WireType::kBytes)) out.context = reader.bytes();
  }
  return reader.ok();
}

void append_string(std::string& out, std::string_view text) {
  const auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
}

bool takes_examples(const Signature& signature) {
  return signature.inputs.size() == 1 && signature.inputs[0].dtype == DataType::kBytes &&
         signature.inputs[0].shape.size() == 1;
}

template <typename T, typename Value>
bool append_number(std::string& out, Value value) {
  if constexpr (std::is_integral_v<T> && std::is_integral_v<Value>)
    if (!std::in_range<T>(value)) return false;
  const auto narrow = static_cast<T>(value);
  out.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
  return true;
}

template <typename T>
bool append_integers(std::string& out, const Feature& feature) {
  if (feature.kind_case() != Feature::kInt64List) return false;
  const auto& values = feature.int64_list().value();
  return std::all_of(values.begin(), values.end(), [&](int64_t v) { return append_number<T>(out, v); });
}

/// Numbers of either kind.
template <typename T>
bool append_reals(std::string& out, const Feature& feature) {
  for (const float value : feature.float_list().value()) append_number<T>(out, value);
  for (const int64_t value : feature.int64_list().value()) append_number<T>(out, value);
  return feature.kind_case() != Feature::kBytesList;
}

bool append_flags(std::string& out, const Feature& feature) {
  if (feature.kind_case() != Feature::kInt64List) return false;
  for (const int64_t value : feature.int64_list().value()) out += value != 0 ? '\1' : '\0';
  return true;
}

/// Appends a feature's values as elements of `dtype`; false where they are of another kind.
bool append_values(std::string& out, const Feature& feature, DataType dtype) {
  switch (dtype) {
    case DataType::kFp32: return append_reals<float>(out, feature);
    case DataType::kFp64: return append_reals<double>(out, feature);
    case DataType::kInt8: return append_integers<int8_t>(out, feature);
    case DataType::kInt16: return append_integers<int16_t>(out, feature);
    case DataType::kInt32: return append_integers<int32_t>(out, feature);
    case DataType::kInt64: return append_integers<int64_t>(out, feature);
    case DataType::kUint8: return append_integers<uint8_t>(out, feature);
    case DataType::kUint16: return append_integers<uint16_t>(out, feature);
    case DataType::kUint32: return append_integers<uint32_t>(out, feature);
    case DataType::kUint64: return append_integers<uint64_t>(out, feature);
    case DataType::kBool: return append_flags(out, feature);
    case DataType::kBytes:
      for (const std::string& text : feature.bytes_list().value()) append_string(out, text);
      return feature.kind_case() == Feature::kBytesList;
    default: return false;
  }
}

int value_count(const Feature& feature) {
  return feature.bytes_list().value_size() + feature.float_list().value_size() + feature.int64_list().value_size();
}

/// One input, as examples add to it.
class FeatureColumn {
 public:
  explicit FeatureColumn(const TensorSpec& spec) : spec_(spec) {}

  Status add(const tensorflow::Example& example, size_t index) {
    const auto& features = example.features().feature();
    const auto found = features.find(spec_.name);
    const std::string where = "example " + std::to_string(index) + ": feature '" + spec_.name + "' ";
    if (found == features.end()) {
      if (spec_.optional && (index == 0 || left_out_)) {
        left_out_ = true;
        return ok_status();
      }
      return invalid_argument(where + "is missing");
    }
    if (left_out_) return invalid_argument(where + "is there, but not in the examples before it");
    const int count = value_count(found->second);
    if (index == 0) count_ = count;
    if (count != count_)
      return invalid_argument(where + "has " + std::to_string(count) + " values, and the first example has " +
                              std::to_string(count_));
    if (!append_values(elements_, found->second, spec_.dtype))
      return invalid_argument(where + "does not fit the input's type " + std::string(dtype_name(spec_.dtype)));
    return ok_status();
  }

  /// Its shape is the input's, of which at most one inner size is open.
  Status move_to(size_t examples, InferRequest& request) {
    if (left_out_) return ok_status();
    Shape shape = spec_.shape;
    if (shape.empty()) return invalid_argument("input '" + spec_.name + "' is a scalar, and examples are a batch");
    shape[0] = static_cast<int64_t>(examples);
    int64_t known = 1;
    int64_t* open = nullptr;
    for (size_t i = 1; i < shape.size(); ++i) {
      if (shape[i] >= 0)
        known *= shape[i];
      else if (std::exchange(open, &shape[i]) != nullptr)
        return invalid_argument("input '" + spec_.name + "' has several open sizes, " + shape_text(dims(spec_.shape)) +
                                ", which an example's flat values don't tell; use predict");
    }
    if (open != nullptr && known > 0) *open = count_ / known;
    if (element_count(dims(shape)).value_or(-1) != static_cast<int64_t>(examples) * count_)
      return invalid_argument("feature '" + spec_.name + "' has " + std::to_string(count_) +
                              " values in each example, which do not make the input's shape " +
                              shape_text(dims(spec_.shape)));
    Tensor& tensor = request.inputs.emplace_back();
    tensor.name = spec_.name;
    tensor.dtype = spec_.dtype;
    tensor.shape = std::move(shape);
    tensor.data.push_back(Bytes::from_string(std::move(elements_)));
    return ok_status();
  }

 private:
  const TensorSpec& spec_;
  std::string elements_;
  int count_ = 0;
  bool left_out_ = false;
};

Status put_parsed(const Examples& examples, const Signature& signature, InferRequest& request) {
  std::vector<FeatureColumn> columns;
  for (const TensorSpec& spec : signature.inputs) columns.emplace_back(spec);
  for (size_t i = 0; i < examples.list.size(); ++i) {
    tensorflow::Example example;
    // Two messages one after the other are one that has the fields of both.
    const std::string bytes = std::string(examples.context) + std::string(examples.list[i]);
    if (!example.ParseFromString(bytes))
      return invalid_argument("example " + std::to_string(i) + " does not parse as a tensorflow.Example");
    for (FeatureColumn& column : columns) MM_RETURN_IF_ERROR(column.add(example, i));
  }
  for (FeatureColumn& column : columns) MM_RETURN_IF_ERROR(column.move_to(examples.list.size(), request));
  return ok_status();
}

}  // namespace

Result<Examples> read_input(std::string_view input) {
  Examples out;
  ProtoReader reader(input);
  while (reader.next()) {
    const bool with_context = reader.is(2, WireType::kBytes);
    if (!with_context && !reader.is(1, WireType::kBytes)) continue;
    if (!read_list(reader.bytes(), with_context, out)) return broken_input();
  }
  if (!reader.ok()) return broken_input();
  if (out.list.empty()) return invalid_argument("Input is empty.");
  return out;
}

Status put_examples(const Examples& examples, const Signature& signature, InferRequest& request) {
  if (!takes_examples(signature)) return put_parsed(examples, signature, request);
  std::string elements;
  for (const std::string_view example : examples.list)
    append_string(elements, std::string(examples.context) + std::string(example));
  Tensor& tensor = request.inputs.emplace_back();
  tensor.name = signature.inputs[0].name;
  tensor.dtype = DataType::kBytes;
  tensor.shape = {static_cast<int64_t>(examples.list.size())};
  tensor.data.push_back(Bytes::from_string(std::move(elements)));
  return ok_status();
}

}  // namespace modelmill::tfserving
