#include "dialect/kserve_v2/binary_type.h"

#include "wire/http_text.h"

namespace modelmill::kserve_v2 {

std::string_view binary_type(std::string_view content_type) {
  for (const std::string_view type : {kSageMakerBinary, kVertexBinary})
    if (wire::equals_ignoring_case(content_type.substr(0, type.size()), type)) return type;
  return {};
}

}  // namespace modelmill::kserve_v2
