#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::invocations {

/// Where a multi-model endpoint of SageMaker says whom it asks.
inline constexpr std::string_view kTargetModelHeader = "x-amzn-sagemaker-target-model";

/// The model or route that a request names by that header, or by `model_name` in its query (as TorchServe's clients
/// do), or `configured`, or the only model that there is, in this order. The header has the name as it is, or that of
/// an archive: its folders and its ending are then no part of it. INVALID_ARGUMENT, with the models and what to say,
/// where none is named and there are several; UNAVAILABLE where there is none.
Result<std::string> asked_model(const Inference& inference, const wire::HttpRequest& request,
                                const std::string& configured);

/// Of "folder/name.tar.gz" the name.
std::string_view archive_stem(std::string_view archive);

}  // namespace modelmill::invocations
