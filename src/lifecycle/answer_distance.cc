#include "lifecycle/answer_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/float_element.h"

namespace modelmill {
namespace {

double float_distance(const Tensor& reference, const Tensor& other) {
  const Bytes a = reference.contiguous(), b = other.contiguous();
  const size_t count = a.size() / dtype_size(reference.dtype);
  double largest = 0, apart = 0;
  for (size_t i = 0; i < count; ++i) {
    const double x = float_at(a, reference.dtype, i), y = float_at(b, reference.dtype, i);
    if (std::isfinite(x)) largest = std::max(largest, std::fabs(x));
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (!std::isfinite(x) || !std::isfinite(y)) return std::numeric_limits<double>::infinity();
    apart = std::max(apart, std::fabs(x - y));
  }
  if (apart == 0) return 0;
  return largest > 0 ? apart / largest : std::numeric_limits<double>::infinity();
}

/// Why the tensors can't be compared, or are not equal where they must be.
std::string problem_of(const Tensor& reference, const Tensor& other) {
  const std::string what = "output '" + reference.name + "' ";
  if (reference.dtype != other.dtype)
    return what + "has type " + std::string(dtype_name(other.dtype)) + ", not " +
           std::string(dtype_name(reference.dtype));
  if (reference.shape != other.shape)
    return what + "has shape " + shape_text(dims(other.shape)) + ", not " + shape_text(dims(reference.shape));
  if (is_float(reference.dtype))
    return reference.byte_size() == other.byte_size() ? std::string() : what + "has another size";
  return reference.contiguous().view() == other.contiguous().view() ? std::string() : what + "has other values";
}

}  // namespace

AnswerDistance answer_distance(const TensorList& reference, const TensorList& other) {
  AnswerDistance out;
  for (const Tensor& tensor : reference) {
    const auto same = std::find_if(other.begin(), other.end(), [&](const Tensor& t) { return t.name == tensor.name; });
    out.problem = same == other.end() ? "output '" + tensor.name + "' is missing" : problem_of(tensor, *same);
    if (!out.problem.empty()) return out;
    if (!is_float(tensor.dtype)) continue;
    if (const double distance = float_distance(tensor, *same); distance > out.relative) {
      out.relative = distance;
      out.output = tensor.name;
    }
  }
  return out;
}

}  // namespace modelmill
