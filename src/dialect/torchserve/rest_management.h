#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dialect/torchserve/management.h"
#include "dialect/torchserve/metrics.h"
#include "wire/http.h"

namespace modelmill::torchserve {

/// Answers a request below /models; `path` is what follows that. What is refused is told in TorchServe's words.
void handle_rest_management(const Management& management, const std::shared_ptr<TorchMetrics>& metrics,
                            std::shared_ptr<wire::HttpExchange> exchange, const std::vector<std::string>& path);

}  // namespace modelmill::torchserve
