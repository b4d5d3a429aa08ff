#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "model_config.pb.h"

namespace modelmill {

/// Why a configuration can't be served, and where in it.
struct ConfigIssue {
  Code code = Code::kInvalidArgument;
  /// A path of field names: "input[1].dims". Empty when the whole configuration is meant.
  std::string field;
  std::string message;
};

/// The rules that a configuration breaks, by Triton's rules for the fields that are served and by what this server
/// lacks for the others; at most one of each input, output, group and sample. `max_batch_size_given` is false where the
/// size is yet to be decided. Pure.
std::vector<ConfigIssue> check_triton_config(const inference::ModelConfig& config, bool max_batch_size_given);

}  // namespace modelmill
