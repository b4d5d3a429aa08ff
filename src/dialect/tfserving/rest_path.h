#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "dialect/tfserving/model_target.h"

namespace modelmill::tfserving {

/// Whose paths a request may use.
enum class Dialects { kBoth, kTfServing, kKserveV1 };

/// What a request to the REST interface asks for.
enum class Ask { kPredict, kClassify, kRegress, kExplain, kStatus, kMetadata, kList };

struct RestPath {
  Ask ask = Ask::kStatus;
  ModelTarget target;
  Dialects dialects = Dialects::kBoth;
};

/// Reads a method and a path such as /v1/models/NAME[/versions/N|/labels/L][:predict|/metadata], with the prefix
/// /tfserving or /kserve before it where only that dialect is meant. INVALID_ARGUMENT in TensorFlow Serving's words for
/// any other.
Result<RestPath> parse_rest_path(std::string_view method, std::string_view path);

}  // namespace modelmill::tfserving
