#include "model/route_answer.h"

#include <simdjson.h>

#include <cstring>
#include <string>
#include <utility>

#include "tensor/cast.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

/// Elements that are written down; a constant of more is a mistake.
constexpr int64_t kMostElements = 1 << 20;

/// All values of arrays in arrays, in order.
Status flatten(const element& value, std::vector<element>& into) {
  simdjson::dom::array items;
  if (value.get(items) != simdjson::SUCCESS) {
    into.push_back(value);
    return static_cast<int64_t>(into.size()) <= kMostElements ? ok_status()
                                                              : invalid_argument("it has too many elements");
  }
  for (const element item : items) MM_RETURN_IF_ERROR(flatten(item, into));
  return ok_status();
}

Result<Bytes> texts(const std::vector<element>& values) {
  std::string all;
  for (const element& value : values) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return invalid_argument("its data must be texts");
    const auto size = static_cast<uint32_t>(text.size());
    all.append(reinterpret_cast<const char*>(&size), sizeof size);
    all += text;
  }
  return Bytes::from_string(std::move(all));
}

/// As the widest type that has all of them exactly.
template <typename Number>
Result<Tensor> numbers(const std::vector<element>& values, DataType wide, Tensor tensor, DataType dtype) {
  std::string all;
  for (const element& value : values) {
    Number number{};
    bool flag = false;
    if (value.get(flag) == simdjson::SUCCESS)
      number = flag ? 1 : 0;
    else if (value.get(number) != simdjson::SUCCESS)
      return invalid_argument("its data must be numbers of its datatype");
    all.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  tensor.dtype = wide;
  tensor.data = {Bytes::from_string(std::move(all))};
  return cast_tensor(tensor, dtype);
}

bool is_floating(DataType dtype) {
  return dtype == DataType::kFp16 || dtype == DataType::kFp32 || dtype == DataType::kFp64 || dtype == DataType::kBf16;
}

Result<Tensor> read_data(const element& data, Tensor tensor) {
  std::vector<element> values;
  MM_RETURN_IF_ERROR(flatten(data, values));
  int64_t count = 1;
  for (const int64_t size : tensor.shape) {
    if (size < 0 || size > kMostElements) return invalid_argument("its shape has a size out of range");
    count *= size;
    if (count > kMostElements) return invalid_argument("its shape has too many elements");
  }
  if (count != static_cast<int64_t>(values.size()))
    return invalid_argument("it has " + std::to_string(values.size()) + " values, but its shape needs " +
                            std::to_string(count));
  const DataType dtype = tensor.dtype;
  if (dtype == DataType::kUint64) return numbers<uint64_t>(values, dtype, std::move(tensor), dtype);
  if (dtype != DataType::kBytes)
    return is_floating(dtype) ? numbers<double>(values, DataType::kFp64, std::move(tensor), dtype)
                              : numbers<int64_t>(values, DataType::kInt64, std::move(tensor), dtype);
  MM_ASSIGN_OR_RETURN(Bytes bytes, texts(values));
  tensor.data = {std::move(bytes)};
  return tensor;
}

Result<Tensor> read_output(const element& output) {
  Tensor tensor;
  std::string_view name, datatype;
  simdjson::dom::array shape;
  element data;
  if (output["name"].get(name) != simdjson::SUCCESS || name.empty())
    return invalid_argument("an output needs a 'name'");
  tensor.name = name;
  const std::string what = "output '" + tensor.name + "'";
  const auto dtype = output["datatype"].get(datatype) == simdjson::SUCCESS ? parse_dtype(datatype) : std::nullopt;
  if (!dtype) return invalid_argument(what + " needs a 'datatype', such as FP32");
  tensor.dtype = *dtype;
  if (output["shape"].get(shape) != simdjson::SUCCESS) return invalid_argument(what + " needs a 'shape', a list");
  for (const element size : shape) {
    int64_t number = 0;
    if (size.get(number) != simdjson::SUCCESS) return invalid_argument(what + ": its shape must be whole numbers");
    tensor.shape.push_back(number);
  }
  if (output["data"].get(data) != simdjson::SUCCESS) return invalid_argument(what + " needs 'data', a list");
  auto read = read_data(data, std::move(tensor));
  return read.ok() ? std::move(read) : Result<Tensor>(read.status().with_context(what));
}

}  // namespace

Result<std::vector<Tensor>> parse_route_answer(std::string_view json) {
  simdjson::dom::parser parser;
  element document;
  simdjson::dom::array outputs;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS ||
      document["outputs"].get(outputs) != simdjson::SUCCESS || outputs.size() == 0)
    return invalid_argument("an answer must be an object with 'outputs', a list of tensors");
  std::vector<Tensor> out;
  for (const element output : outputs) {
    MM_ASSIGN_OR_RETURN(Tensor tensor, read_output(output));
    out.push_back(std::move(tensor));
  }
  return out;
}

}  // namespace modelmill
