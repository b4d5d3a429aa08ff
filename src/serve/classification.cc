#include "serve/classification.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "tensor/float16.h"

namespace modelmill {
namespace {

/// Sorting more than this for one request would hold up everybody else.
constexpr int64_t kMaxRowElements = 1'000'000;

/// NaN sorts last, so that the order is one.
template <typename T>
bool larger(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
  }
  return a > b;
}

void append_string(std::string& out, const std::string& text) {
  const auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  out += text;
}

/// Appends one row's best. `at(i)` is its element i.
template <typename At>
void append_row(std::string& out, int64_t elements, int64_t k, const std::vector<std::string>& labels, At at) {
  std::vector<int64_t> order(elements);
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
    if (larger(at(a), at(b))) return true;
    return !larger(at(b), at(a)) && a < b;
  });
  for (int64_t i = 0; i < k; ++i) {
    std::string text = std::to_string(at(order[i])) + ":" + std::to_string(order[i]);
    if (static_cast<size_t>(order[i]) < labels.size()) text += ":" + labels[order[i]];
    append_string(out, text);
  }
}

struct Rows {
  int64_t count;
  int64_t elements;  // of each
  int64_t k;
};

template <typename T, typename Convert>
void append_rows(std::string& out, const Bytes& data, const Rows& rows, const std::vector<std::string>& labels,
                 Convert convert) {
  for (int64_t row = 0; row < rows.count; ++row) {
    const std::byte* base = data.data() + row * rows.elements * sizeof(T);
    append_row(out, rows.elements, rows.k, labels, [&](int64_t i) {
      T value;  // the data may lie anywhere
      std::memcpy(&value, base + i * sizeof(T), sizeof value);
      return convert(value);
    });
  }
}

template <typename T>
void append_rows(std::string& out, const Bytes& data, const Rows& rows, const std::vector<std::string>& labels) {
  append_rows<T>(out, data, rows, labels, [](T value) { return value; });
}

Status append_all(std::string& out, DataType dtype, const Bytes& data, const Rows& rows,
                  const std::vector<std::string>& labels) {
  switch (dtype) {
    case DataType::kUint8: append_rows<uint8_t>(out, data, rows, labels); break;
    case DataType::kUint16: append_rows<uint16_t>(out, data, rows, labels); break;
    case DataType::kUint32: append_rows<uint32_t>(out, data, rows, labels); break;
    case DataType::kUint64: append_rows<uint64_t>(out, data, rows, labels); break;
    case DataType::kInt8: append_rows<int8_t>(out, data, rows, labels); break;
    case DataType::kInt16: append_rows<int16_t>(out, data, rows, labels); break;
    case DataType::kInt32: append_rows<int32_t>(out, data, rows, labels); break;
    case DataType::kInt64: append_rows<int64_t>(out, data, rows, labels); break;
    case DataType::kFp16: append_rows<uint16_t>(out, data, rows, labels, half_to_float); break;
    case DataType::kBf16: append_rows<uint16_t>(out, data, rows, labels, bfloat16_to_float); break;
    case DataType::kFp32: append_rows<float>(out, data, rows, labels); break;
    case DataType::kFp64: append_rows<double>(out, data, rows, labels); break;
    default:
      return invalid_argument("class result not available for output due to unsupported type '" +
                              std::string(dtype_name(dtype)) + "'");
  }
  return ok_status();
}

}  // namespace

Result<Tensor> classify(const Tensor& output, uint32_t top_k, bool has_batch_dimension,
                        const std::vector<std::string>& labels) {
  const bool batched = has_batch_dimension && !output.shape.empty();
  const auto inner = element_count(dims(output.shape).subspan(batched ? 1 : 0));
  const Bytes data = output.contiguous();
  if (!inner || *inner > kMaxRowElements) {
    return invalid_argument("classification output tensor too large: output '" + output.name + "' has shape " +
                            shape_text(dims(output.shape)) + ", and at most " + std::to_string(kMaxRowElements) +
                            " elements can be sorted; ask for the output without 'classification'");
  }
  const Rows rows{batched ? output.shape[0] : 1, *inner, std::min<int64_t>(top_k, *inner)};
  const size_t expected = static_cast<size_t>(rows.count) * rows.elements * dtype_size(output.dtype);
  std::string serialised;
  if (dtype_size(output.dtype) != 0 && data.size() != expected) {
    return internal("output '" + output.name + "' has " + std::to_string(data.size()) + " bytes, its shape calls for " +
                    std::to_string(expected));
  }
  MM_RETURN_IF_ERROR(append_all(serialised, output.dtype, data, rows, labels));
  Tensor classes;
  classes.name = output.name;
  classes.dtype = DataType::kBytes;
  if (batched) classes.shape.push_back(rows.count);
  classes.shape.push_back(rows.k);
  classes.data.push_back(Bytes::from_string(std::move(serialised)));
  return classes;
}

}  // namespace modelmill
