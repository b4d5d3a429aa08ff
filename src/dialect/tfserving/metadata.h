#pragma once

#include <string>

#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/model_version.h"
#include "dialect/tfserving/model_target.h"
#include "tf_serving_api.pb.h"

namespace modelmill::tfserving {

/// The states of the model's versions, or of the one that `target` names. NOT_FOUND, in TensorFlow Serving's words, for
/// what there is not.
Result<tensorflow::serving::GetModelStatusResponse> model_status(const Catalog& catalog, const ModelTarget& target);

/// What a version's entry points take and give, as the signatures of a SavedModel.
tensorflow::serving::SignatureDefMap signatures_of(const ModelVersion& version);

/// The bodies of the same over HTTP.
std::string json_of(const tensorflow::serving::GetModelStatusResponse& status);
std::string metadata_json(const ModelVersion& version);

}  // namespace modelmill::tfserving
