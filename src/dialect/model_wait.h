#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dialect/http_router.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill {

/// For a model that loads on demand (Inference::loads_on_demand()): keeps the exchange until it can be had, and has it
/// handled then, on its loop; or answers why it can't, with what `refuse` makes of that.
void wait_for_model(Inference& inference, const std::shared_ptr<wire::HttpExchange>& exchange, const std::string& model,
                    std::function<void(std::shared_ptr<wire::HttpExchange>)> handle,
                    std::function<wire::HttpReply(const Status&)> refuse = error_reply);

}  // namespace modelmill
