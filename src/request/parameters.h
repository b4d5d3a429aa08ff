#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace modelmill {

/// A value of a request's or response's parameters, with the types of the V2 protocol.
using ParameterValue = std::variant<bool, int64_t, uint64_t, double, std::string>;

/// A handful of named values in the order they came. Lookups are linear: there are few.
class Parameters {
 public:
  void set(std::string name, ParameterValue value);
  const ParameterValue* find(std::string_view name) const;
  bool empty() const { return items_.empty(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<std::pair<std::string, ParameterValue>> items_;
};

}  // namespace modelmill
