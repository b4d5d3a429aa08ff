#include "ensemble/step_condition.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>

#include "tensor/float16.h"
#include "tensor/float_element.h"

namespace modelmill {
namespace {

using Test = StepCondition::Test;

bool is_true(Test test, double value, double than) {
  switch (test) {
    case Test::kAbove: return value > than;
    case Test::kAtLeast: return value >= than;
    case Test::kBelow: return value < than;
    case Test::kAtMost: return value <= than;
    case Test::kEquals: return value == than;
    case Test::kDiffers: return value != than;
  }
  return false;
}

template <typename T>
double read(const Bytes& bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
  return static_cast<double>(value);
}

double number_at(const Bytes& bytes, DataType dtype, size_t i) {
  switch (dtype) {
    case DataType::kBool:
    case DataType::kUint8: return read<uint8_t>(bytes, i);
    case DataType::kInt8: return read<int8_t>(bytes, i);
    case DataType::kUint16: return read<uint16_t>(bytes, i);
    case DataType::kInt16: return read<int16_t>(bytes, i);
    case DataType::kUint32: return read<uint32_t>(bytes, i);
    case DataType::kInt32: return read<int32_t>(bytes, i);
    case DataType::kUint64: return read<uint64_t>(bytes, i);
    case DataType::kInt64: return read<int64_t>(bytes, i);
    default: return float_at(bytes, dtype, i);
  }
}

/// The number as elements of the type have it, so that 0.1 equals what a model means by it; as it is where the type's
/// numbers don't go so far.
double as_element(double number, DataType dtype) {
  if (std::abs(number) > static_cast<double>(std::numeric_limits<float>::max())) return number;
  double rounded = number;
  if (dtype == DataType::kFp32) rounded = static_cast<double>(static_cast<float>(number));
  if (dtype == DataType::kFp16) rounded = half_to_float(float_to_half(static_cast<float>(number)));
  if (dtype == DataType::kBf16) rounded = bfloat16_to_float(float_to_bfloat16(static_cast<float>(number)));
  return std::isfinite(rounded) ? rounded : number;
}

/// What all elements together make of it, as they come.
class Reduced {
 public:
  explicit Reduced(StepCondition::Reduction reduction) : any_(reduction == StepCondition::Reduction::kAny) {}
  void add(bool one) { (one ? some_ : not_all_) = true; }
  /// More elements change nothing.
  bool is_decided() const { return any_ ? some_ : not_all_; }
  bool result() const { return any_ ? some_ : some_ && !not_all_; }

 private:
  const bool any_;
  bool some_ = false, not_all_ = false;
};

Result<bool> texts_hold(const StepCondition& condition, const Tensor& tensor, size_t count) {
  const Bytes bytes = tensor.contiguous();
  Reduced reduced(condition.reduction);
  size_t place = 0;
  for (size_t i = 0; i < count && !reduced.is_decided(); ++i) {
    uint32_t length = 0;
    const bool has_length = bytes.size() - place >= sizeof length;
    if (has_length) std::memcpy(&length, bytes.data() + place, sizeof length);
    if (!has_length || bytes.size() - place - sizeof length < length)
      return internal("tensor '" + condition.tensor + "' has fewer strings than its shape says");
    const bool same = bytes.view().substr(place + sizeof length, length) == condition.text;
    reduced.add(same == (condition.test == Test::kEquals));
    place += sizeof length + length;
  }
  return reduced.result();
}

}  // namespace

Result<bool> condition_holds(const StepCondition& condition, const Tensor* tensor) {
  if (tensor == nullptr) return false;
  const auto count = static_cast<size_t>(element_count(dims(tensor->shape)).value_or(0));
  if (tensor->dtype == DataType::kBytes) return texts_hold(condition, *tensor, count);
  const Bytes bytes = tensor->contiguous();
  if (bytes.size() < count * dtype_size(tensor->dtype))
    return internal("tensor '" + condition.tensor + "' has fewer bytes than its shape says");
  Reduced reduced(condition.reduction);
  const double than = as_element(condition.number, tensor->dtype);
  for (size_t i = 0; i < count && !reduced.is_decided(); ++i)
    reduced.add(is_true(condition.test, number_at(bytes, tensor->dtype, i), than));
  return reduced.result();
}

}  // namespace modelmill
