#include "model/signature.h"

#include <string_view>

namespace modelmill {
namespace {

const TensorSpec* find(const std::vector<TensorSpec>& specs, std::string_view name) {
  for (const TensorSpec& spec : specs)
    if (spec.name == name) return &spec;
  return nullptr;
}

}  // namespace

const TensorSpec* Signature::input(std::string_view name) const { return find(inputs, name); }
const TensorSpec* Signature::output(std::string_view name) const { return find(outputs, name); }

}  // namespace modelmill
