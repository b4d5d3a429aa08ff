#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>

#include "base/status.h"
#include "catalog/ensemble_plan.h"
#include "model/definition.h"

namespace modelmill {

/// Adds the conditions of a pipeline's steps to its plan, which is whole but for them. `type_of` tells the types of
/// tensors by name (kInvalid: unknown), `optional` are the inputs that requests may leave out. An error where a
/// condition doesn't suit its tensor, where alternatives don't suit each other, or an output might be written by
/// nobody.
Status plan_conditions(const ModelDefinition& definition, const std::function<DataType(const std::string&)>& type_of,
                       const std::set<size_t>& optional, EnsemblePlan& plan);

}  // namespace modelmill
