#pragma once

#include <string_view>

#include "modelmill/backend.hpp"

namespace modelmill::backend {

/// How many threads a model's parameter says: 0 is as many as there are `cores`, and `fallback` where it isn't given.
/// Throws Error(MM_INVALID_ARGUMENT) that names the parameter.
int thread_count(const ModelConfig& config, std::string_view name, int fallback, int cores);

}  // namespace modelmill::backend
