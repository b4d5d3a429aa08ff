#pragma once

#include <string>

#include "base/result.h"
#include "catalog/model_version.h"
#include "request/infer_response.h"
#include "tf_serving_api.pb.h"

namespace modelmill::tfserving {

using tensorflow::serving::ClassificationResult;
using tensorflow::serving::RegressionResult;

/// The classes and scores of `examples` examples: the outputs "classes" (strings) and "scores" (floats), each
/// [examples, classes]; in the answer of a model that has neither, its only output of strings and its only one of
/// floats, with labels from a label file where it has one. INVALID_ARGUMENT says why an answer is no classification.
Result<ClassificationResult> classification_of(const InferResponse& response, const ModelVersion::Description& model,
                                               size_t examples);

/// The values of `examples` examples: the output "outputs", or the only one, of floats, [examples] or [examples, 1].
Result<RegressionResult> regression_of(const InferResponse& response, size_t examples);

/// {"results": [[[label, score], ...], ...]}.
std::string json_of(const ClassificationResult& result);
/// {"results": [value, ...]}.
std::string json_of(const RegressionResult& result);

}  // namespace modelmill::tfserving
