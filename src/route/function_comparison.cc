#include "route/function_comparison.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/json_text.h"
#include "route/output_values.h"

namespace modelmill {
namespace {

/// Of what the function says of its verdict, so many bytes are kept.
constexpr size_t kMostOfReason = 512;

static_assert(std::endian::native == std::endian::little);

constexpr size_t aligned(size_t at) { return (at + kAlignment - 1) / kAlignment * kAlignment; }

void write_places(JsonWriter& json, const char* side, std::span<const Tensor> tensors, size_t& at) {
  json.key(side).begin_array();
  for (const Tensor& tensor : tensors) {
    json.begin_object().field("name", tensor.name).field("dtype", dtype_name(tensor.dtype)).key("shape").begin_array();
    for (const int64_t size : tensor.shape) json.value(size);
    const size_t bytes = tensor.byte_size();
    json.end_array().field("at", static_cast<uint64_t>(at)).field("size", static_cast<uint64_t>(bytes)).end_object();
    at = aligned(at + bytes);
  }
  json.end_array();
}

void copy_tensors(std::span<const Tensor> tensors, std::byte* into, size_t& at) {
  for (const Tensor& tensor : tensors) {
    for (const Bytes& chunk : tensor.data) {
      if (!chunk.empty()) std::memcpy(into + at, chunk.data(), chunk.size());
      at += chunk.size();
    }
    const size_t end = aligned(at);
    std::memset(into + at, 0, end - at);
    at = end;
  }
}

const Tensor* output_named(std::span<const Tensor> outputs, const char* name, DataType dtype) {
  for (const Tensor& output : outputs)
    if (output.name == name && output.dtype == dtype && OutputValues(output).size() == 1) return &output;
  return nullptr;
}

/// INTERNAL says why it is no verdict.
Result<double> measure_in(std::span<const Tensor> outputs, const char* name, bool finite) {
  const Tensor* const output = output_named(outputs, name, DataType::kFp64);
  if (output == nullptr)
    return internal("it has no output '" + std::string(name) +
                    "' of one FP64, so it compares nothing; mark a function with @modelmill.comparison");
  const double value = OutputValues(*output).number(0);
  if (value >= 0 && (!finite || std::isfinite(value))) return value;
  std::string text;
  append_json_number(text, value);
  return internal("its '" + std::string(name) + "' is " + text + "; it must be a number of at least 0");
}

}  // namespace

Tensor packed_comparison(std::span<const Tensor> primary, std::span<const Tensor> shadow,
                         std::span<const Tensor> inputs) {
  JsonWriter json;
  size_t end = 0;
  json.begin_object();
  write_places(json, "primary", primary, end);
  write_places(json, "shadow", shadow, end);
  write_places(json, "inputs", inputs, end);
  const std::string head = json.end_object().take();
  const auto length = static_cast<uint32_t>(head.size());
  const size_t begin = aligned(sizeof length + head.size());
  const MemoryRef memory = Memory::allocate(begin + end);
  std::byte* const into = memory->data();
  std::memset(into, 0, begin);
  std::memcpy(into, &length, sizeof length);
  std::memcpy(into + sizeof length, head.data(), head.size());
  size_t at = 0;
  for (const std::span<const Tensor> side : {primary, shadow, inputs}) copy_tensors(side, into + begin, at);
  return {kComparisonInput, DataType::kUint8, {static_cast<int64_t>(begin + end)}, {Bytes(memory)}};
}

bool asks_function(std::span<const Tensor> primary, const std::map<std::string, OutputComparison>& comparisons) {
  return std::any_of(primary.begin(), primary.end(), [&](const Tensor& tensor) {
    auto named = comparisons.find(tensor.name);
    if (named == comparisons.end()) named = comparisons.find("*");
    return named != comparisons.end() && named->second.kind == ComparisonKind::kFunction;
  });
}

Result<OutputDistance> function_distance(std::span<const Tensor> outputs) {
  OutputDistance out{"", ComparisonKind::kFunction, 0, 0, ""};
  MM_ASSIGN_OR_RETURN(out.distance, measure_in(outputs, "distance", /*finite=*/false));
  MM_ASSIGN_OR_RETURN(out.limit, measure_in(outputs, "limit", /*finite=*/true));
  if (const Tensor* const why = output_named(outputs, "why", DataType::kBytes))
    out.problem = OutputValues(*why).text(0).substr(0, kMostOfReason);
  return out;
}

}  // namespace modelmill
