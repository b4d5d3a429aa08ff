#include "catalog/shape_class.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace modelmill {
namespace {

bool same_but_rows(const Tensor& a, const Tensor& b) {
  if (a.dtype != b.dtype || a.shape.size() != b.shape.size()) return false;
  return a.shape.empty() || std::equal(a.shape.begin() + 1, a.shape.end(), b.shape.begin() + 1);
}

/// The finaliser of splitmix64.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

bool same_shape_class(const InferRequest& a, const InferRequest& b) {
  if (a.inputs.size() != b.inputs.size()) return false;
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    const Tensor& mine = a.inputs[i];
    const Tensor* theirs = b.inputs[i].name == mine.name ? &b.inputs[i] : b.input(mine.name);
    if (!theirs || !same_but_rows(mine, *theirs)) return false;
  }
  return true;
}

uint64_t shape_class_hash(const InferRequest& request) {
  uint64_t sum = 0;  // commutative, so that the order of inputs does not matter
  for (const Tensor& tensor : request.inputs) {
    uint64_t h = mix(std::hash<std::string_view>()(tensor.name) ^ static_cast<uint64_t>(tensor.dtype));
    h = mix(h ^ tensor.shape.size());
    for (size_t d = 1; d < tensor.shape.size(); ++d) h = mix(h ^ static_cast<uint64_t>(tensor.shape[d]));
    sum += h;
  }
  return sum;
}

std::string shape_class_text(const InferRequest& request) {
  std::string text;
  for (const Tensor& tensor : request.inputs) {
    text += (text.empty() ? "" : ", ") + tensor.name + ' ' + std::string(dtype_name(tensor.dtype)) + '[';
    for (size_t d = 0; d < tensor.shape.size(); ++d)
      text += d == 0 ? std::string("*") : ',' + std::to_string(tensor.shape[d]);
    text += ']';
  }
  return text;
}

bool has_one_shape_class(const Signature& signature) {
  const auto& inputs = signature.inputs;
  return !signature.open && std::none_of(inputs.begin(), inputs.end(), [](const TensorSpec& spec) {
    return spec.optional || spec.shape.empty() ||
           std::any_of(spec.shape.begin() + 1, spec.shape.end(), [](int64_t d) { return d < 0; });
  });
}

}  // namespace modelmill
