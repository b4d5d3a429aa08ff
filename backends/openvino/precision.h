#pragma once

#include <string>

#include "options.h"
#include "ov.h"

namespace modelmill::ov {

/// Has the device compute in "bf16" or "fp16", whatever the model's parameters say. Throws FAILED_PRECONDITION, with
/// what the device can, where it can't.
void lower_precision(Options& options, const std::string& precision, const Core* core);

/// Whether it does, as the compiled model tells; throws where it does not.
void check_precision(const CompiledModel* model, const std::string& precision);

}  // namespace modelmill::ov
