#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// A runtime that computes a model in a lower precision than the model's own: by itself, or because a file beside the
/// model's has it in that precision.
struct LessPreciseRuntime {
  std::string backend;
  std::string runtime;    // with its version
  std::string precision;  // "bf16", "fp16", "int8"
  std::string file;       // instead of the model's own; empty: the runtime does it by itself
  std::string problem;    // why it can't be tried, for people; empty: it can
};

/// "bf16,int8" as its parts, each one once; INVALID_ARGUMENT names what is none. Empty: none.
Result<std::vector<std::string>> parse_precisions(std::string_view text);

/// Where a user puts the model of `file` in another precision: "1/model.int8.onnx" for "1/model.onnx".
std::string precision_file(const std::string& file, const std::string& precision);

}  // namespace modelmill
