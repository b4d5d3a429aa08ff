#pragma once

#include <functional>
#include <memory>
#include <string>

#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill {

/// Where the model loads on demand, and can't be had yet: keeps the exchange until it can, and has it handled then, on
/// its loop; or answers why it can't. False: there is nothing to wait for.
bool wait_for_model(Inference& inference, const std::shared_ptr<wire::HttpExchange>& exchange, const std::string& model,
                    std::function<void(std::shared_ptr<wire::HttpExchange>)> handle);

}  // namespace modelmill
