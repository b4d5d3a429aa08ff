#pragma once

#include <span>
#include <string>

#include "dialect/kserve_v2/shared_regions.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// Answers systemsharedmemory[/region/NAME]/status, register or unregister, and the same of cudasharedmemory, of which
/// there is none; `path` is what follows /v2.
wire::HttpReply answer_shared_memory(SharedRegions& regions, std::span<const std::string> path,
                                     const wire::HttpRequest& request);

}  // namespace modelmill::kserve_v2
