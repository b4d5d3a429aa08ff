#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What a path such as /predict/MODEL or /predict/MODEL/versions/V names.
struct ModelPath {
  std::string model;
  std::string version;  // a number or a label; empty: the default
};

/// Reads one. NOT_FOUND, with the forms that there are, for any other path.
Result<ModelPath> parse_model_path(std::string_view path);

}  // namespace modelmill
