#pragma once

#include <functional>
#include <memory>
#include <string>

#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill {

/// For a model that loads on demand (Inference::loads_on_demand()): keeps the exchange until it can be had, and has it
/// handled then, on its loop; or answers why it can't.
void wait_for_model(Inference& inference, const std::shared_ptr<wire::HttpExchange>& exchange, const std::string& model,
                    std::function<void(std::shared_ptr<wire::HttpExchange>)> handle);

}  // namespace modelmill
