#include "request/parameters.h"

namespace modelmill {

void Parameters::set(std::string name, ParameterValue value) {
  for (auto& [key, old] : items_) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  items_.emplace_back(std::move(name), std::move(value));
}

const ParameterValue* Parameters::find(std::string_view name) const {
  for (const auto& [key, value] : items_)
    if (key == name) return &value;
  return nullptr;
}

}  // namespace modelmill
