#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "catalog/model_version.h"
#include "request/infer_request.h"

namespace modelmill::tfserving {

/// What is to be classified or regressed: serialised tensorflow.Examples, and the features that all share. The views
/// are of `texts`, or of what the examples were read from.
struct Examples {
  Examples() = default;
  Examples(Examples&&) = default;
  Examples& operator=(Examples&&) = default;

  std::vector<std::string_view> list;
  std::string_view context;
  std::vector<std::string> texts;
  const ModelVersion* entry = nullptr;  // over HTTP: the entry point that is asked
};

/// Takes a serialised tensorflow.serving.Input apart; the views are of `input`, which the caller keeps.
/// INVALID_ARGUMENT when it is none or has no examples.
Result<Examples> read_input(std::string_view input);

/// Reads the body of a classify or regress request over HTTP, {"context": {...}, "examples": [{feature: value}]}.
Result<Examples> read_json_examples(const Bytes& body, const ModelVersion& version);

/// Puts them into `request`: as they are, where the one input of `signature` is a list of strings, as graphs that parse
/// Examples by themselves have it; else parsed, each input from the feature of its name. INVALID_ARGUMENT names the
/// example and the feature that does not fit.
Status put_examples(const Examples& examples, const Signature& signature, InferRequest& request);

}  // namespace modelmill::tfserving
