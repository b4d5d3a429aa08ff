#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// The texts and numbers of one flat JSON object, as credentials come: all as text. What is nested is left out.
class JsonFields {
 public:
  /// `what` names it in the error.
  static Result<JsonFields> parse(std::string_view json, const std::string& what);

  /// Empty when it is not there.
  const std::string& get(const std::string& name) const;
  /// 0 when it is not there or is no number.
  int64_t number(const std::string& name) const;

 private:
  std::map<std::string, std::string> fields_;
};

}  // namespace modelmill
