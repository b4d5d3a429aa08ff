#pragma once

#include <string_view>

namespace modelmill::kserve_v2 {

/// Media types of Triton's for JSON with tensors behind it, up to the length of the JSON, with which they end. Where a
/// cloud passes on Content-Type and no other header, they stand for Inference-Header-Content-Length.
inline constexpr std::string_view kSageMakerBinary = "application/vnd.sagemaker-triton.binary+json;json-header-size=";
inline constexpr std::string_view kVertexBinary = "application/vnd.vertex-ai-triton.binary+json;json-header-size=";

/// The one of them that `content_type` is; empty: none.
std::string_view binary_type(std::string_view content_type);

}  // namespace modelmill::kserve_v2
