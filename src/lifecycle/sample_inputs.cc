#include "lifecycle/sample_inputs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "tensor/float16.h"

namespace modelmill {
namespace {

constexpr int64_t kMostElements = 64 << 20;

template <typename T, typename Make>
Bytes fill(int64_t count, Make make) {
  MemoryRef memory = Memory::allocate(static_cast<size_t>(count) * sizeof(T));
  for (int64_t i = 0; i < count; ++i) {
    const T value = make(i);
    std::memcpy(memory->data() + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
  }
  return Bytes(std::move(memory));
}

template <typename T>
Bytes fill_integers(int64_t count, ValueRange range, int row, std::mt19937_64& random) {
  const uint64_t below = range == ValueRange::kTame ? 2 : 10;
  return fill<T>(count,
                 [&](int64_t i) { return static_cast<T>((i == 0 ? static_cast<uint64_t>(row) : random()) % below); });
}

double random_float(ValueRange range, std::mt19937_64& random) {
  const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
  return range == ValueRange::kTame ? unit : unit * 4 - 2;
}

Bytes fill_strings(int64_t count, int row, std::mt19937_64& random) {
  std::string bytes;
  for (int64_t i = 0; i < count; ++i) {
    std::string text(1, static_cast<char>('a' + (i == 0 ? static_cast<uint64_t>(row) : random()) % 26));
    for (uint64_t more = random() % 8; more > 0; --more) text += static_cast<char>('a' + random() % 26);
    const auto length = static_cast<uint32_t>(text.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes += text;
  }
  return Bytes::from_string(std::move(bytes));
}

Bytes sample_bytes(DataType dtype, int64_t count, ValueRange range, int row, std::mt19937_64& random) {
  switch (dtype) {
    case DataType::kBool: return fill_integers<uint8_t>(count, ValueRange::kTame, row, random);
    case DataType::kUint8: return fill_integers<uint8_t>(count, range, row, random);
    case DataType::kUint16: return fill_integers<uint16_t>(count, range, row, random);
    case DataType::kUint32: return fill_integers<uint32_t>(count, range, row, random);
    case DataType::kUint64: return fill_integers<uint64_t>(count, range, row, random);
    case DataType::kInt8: return fill_integers<int8_t>(count, range, row, random);
    case DataType::kInt16: return fill_integers<int16_t>(count, range, row, random);
    case DataType::kInt32: return fill_integers<int32_t>(count, range, row, random);
    case DataType::kInt64: return fill_integers<int64_t>(count, range, row, random);
    case DataType::kFp32:
      return fill<float>(count, [&](int64_t) { return static_cast<float>(random_float(range, random)); });
    case DataType::kFp64: return fill<double>(count, [&](int64_t) { return random_float(range, random); });
    case DataType::kFp16:
      return fill<uint16_t>(count,
                            [&](int64_t) { return float_to_half(static_cast<float>(random_float(range, random))); });
    case DataType::kBf16:
      return fill<uint16_t>(
          count, [&](int64_t) { return float_to_bfloat16(static_cast<float>(random_float(range, random))); });
    case DataType::kBytes: return fill_strings(count, row, random);
    case DataType::kInvalid: break;
  }
  return {};
}

}  // namespace

bool has_images(const TensorSpec& spec) {
  const auto channels = [](int64_t size) { return size == 1 || size == 3 || size == 4; };
  return spec.shape.size() == 4 && (channels(spec.shape[1]) || channels(spec.shape[3]));
}

std::span<const int64_t> likely_sizes(const Signature& signature) {
  static constexpr std::array<int64_t, 12> kSizes{32, 64, 16, 8, 128, 4, 1, 224, 2, 3, 320, 512};
  static constexpr std::array<int64_t, 8> kOfImages{224, 64, 320, 128, 512, 32, 16, 8};
  if (std::all_of(signature.inputs.begin(), signature.inputs.end(), has_images)) return kOfImages;
  return kSizes;
}

bool has_open_sizes(const Signature& signature, bool batched) {
  for (const TensorSpec& spec : signature.inputs)
    for (size_t i = batched ? 1 : 0; i < spec.shape.size(); ++i)
      if (spec.shape[i] == -1 && !spec.optional) return true;
  return false;
}

Tensor sample_tensor(const std::string& name, DataType dtype, const Shape& shape, ValueRange range, int row,
                     std::mt19937_64& random) {
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = dtype;
  tensor.shape = shape;
  tensor.data.push_back(sample_bytes(dtype, element_count(dims(tensor.shape)).value_or(0), range, row, random));
  return tensor;
}

std::optional<TensorList> sample_inputs(const Signature& signature, bool batched, int64_t rows, int64_t open_size,
                                        ValueRange range, int row, std::mt19937_64& random) {
  TensorList out;
  int64_t elements = 0;
  for (const TensorSpec& spec : signature.inputs) {
    if (spec.optional) continue;
    Shape shape = spec.shape;
    for (size_t i = 0; i < shape.size(); ++i)
      if (shape[i] == -1) shape[i] = batched && i == 0 ? rows : open_size;
    const auto count = element_count(dims(shape));
    if (!count || *count > kMostElements - elements) return std::nullopt;
    elements += *count;
    out.push_back(sample_tensor(spec.name, spec.dtype, shape, range, row, random));
  }
  return out;
}

int64_t total_bytes(const TensorList& tensors) {
  int64_t total = 0;
  for (const Tensor& tensor : tensors) total += static_cast<int64_t>(tensor.byte_size());
  return total;
}

int64_t fixed_row_bytes(const Signature& signature) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  int64_t total = 0;
  for (const auto* specs : {&signature.inputs, &signature.outputs})
    for (const TensorSpec& spec : *specs) {
      Shape shape = spec.shape;
      for (int64_t& d : shape) d = std::max<int64_t>(d, 1);
      const int64_t count = element_count(dims(shape)).value_or(kHuge);
      const auto element = static_cast<int64_t>(std::max<size_t>(dtype_size(spec.dtype), 1));
      if (count > kHuge / element / 64) return kHuge;
      total += count * element;
    }
  return total;
}

}  // namespace modelmill
