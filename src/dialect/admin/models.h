#pragma once

#include <span>

#include "dialect/admin/action.h"

namespace modelmill::admin {

/// What is ours alone of the management of models, under /admin/models/MODEL: its versions, default version and labels,
/// what a label stands for, and which version is asked where a request names none.
std::span<const Action> model_actions();

}  // namespace modelmill::admin
