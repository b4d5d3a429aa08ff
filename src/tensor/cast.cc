#include "tensor/cast.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "tensor/float16.h"

namespace modelmill {
namespace {

// How each dtype is stored, and the value it stands for.
struct Bool {
  using Stored = uint8_t;
  static uint8_t value(Stored s) { return s != 0; }
};
template <typename T>
struct Plain {
  using Stored = T;
  static T value(Stored s) { return s; }
};
struct Half {
  using Stored = uint16_t;
  static float value(Stored s) { return half_to_float(s); }
};
struct Bfloat {
  using Stored = uint16_t;
  static float value(Stored s) { return bfloat16_to_float(s); }
};

template <typename To, typename From>
std::optional<typename To::Stored> convert(From value) {
  using Stored = typename To::Stored;
  if constexpr (std::is_same_v<To, Half>) {
    return float_to_half(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, Bfloat>) {
    return float_to_bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, Bool>) {
    if (value != From{0} && value != From{1}) return std::nullopt;
    return value == From{1} ? 1 : 0;
  } else if constexpr (std::is_floating_point_v<Stored>) {
    return static_cast<Stored>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    const double wide = value;
    if (wide != std::floor(wide) || wide < static_cast<double>(std::numeric_limits<Stored>::min()) ||
        wide >= std::ldexp(1.0, std::numeric_limits<Stored>::digits)) {
      return std::nullopt;
    }
    return static_cast<Stored>(wide);
  } else {
    if (!std::in_range<Stored>(value)) return std::nullopt;
    return static_cast<Stored>(value);
  }
}

template <typename From, typename To>
Result<Bytes> cast_bytes(const Bytes& bytes, const Tensor& tensor, DataType dtype) {
  const size_t count = bytes.size() / sizeof(typename From::Stored);
  MemoryRef memory = Memory::allocate(count * sizeof(typename To::Stored));
  auto* out = reinterpret_cast<typename To::Stored*>(memory->data());
  for (size_t i = 0; i < count; ++i) {
    typename From::Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof stored, sizeof stored);
    const auto value = From::value(stored);
    const auto converted = convert<To>(value);
    if (!converted) {
      return invalid_argument("element " + std::to_string(i) + " of tensor '" + tensor.name + "' is " +
                              std::to_string(value) + ", which " + std::string(dtype_name(dtype)) + " cannot hold");
    }
    out[i] = *converted;
  }
  return Bytes(std::move(memory));
}

/// Calls f with the traits of a numeric dtype.
template <typename F>
Result<Bytes> with_traits(DataType dtype, F f) {
  switch (dtype) {
    case DataType::kBool: return f(Bool());
    case DataType::kUint8: return f(Plain<uint8_t>());
    case DataType::kUint16: return f(Plain<uint16_t>());
    case DataType::kUint32: return f(Plain<uint32_t>());
    case DataType::kUint64: return f(Plain<uint64_t>());
    case DataType::kInt8: return f(Plain<int8_t>());
    case DataType::kInt16: return f(Plain<int16_t>());
    case DataType::kInt32: return f(Plain<int32_t>());
    case DataType::kInt64: return f(Plain<int64_t>());
    case DataType::kFp16: return f(Half());
    case DataType::kBf16: return f(Bfloat());
    case DataType::kFp32: return f(Plain<float>());
    case DataType::kFp64: return f(Plain<double>());
    default: return invalid_argument("strings and numbers do not turn into each other");
  }
}

}  // namespace

Result<Tensor> cast_tensor(const Tensor& tensor, DataType dtype) {
  if (tensor.dtype == dtype) return tensor;
  const Bytes bytes = tensor.contiguous();
  Result<Bytes> cast = with_traits(tensor.dtype, [&](auto from) {
    return with_traits(dtype, [&](auto to) { return cast_bytes<decltype(from), decltype(to)>(bytes, tensor, dtype); });
  });
  if (!cast.ok()) {
    return cast.status().with_context("tensor '" + tensor.name + "' of type " + std::string(dtype_name(tensor.dtype)) +
                                      " cannot be taken as " + std::string(dtype_name(dtype)));
  }
  Tensor out;
  out.name = tensor.name;
  out.dtype = dtype;
  out.shape = tensor.shape;
  out.data.push_back(std::move(cast).value());
  return out;
}

}  // namespace modelmill
