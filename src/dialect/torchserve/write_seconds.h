#pragma once

#include "base/json_text.h"
#include "model/definition.h"

namespace modelmill::torchserve {

/// The field `name` with the seconds that a parameter of the model has; it is left out where nobody said them.
void write_seconds(JsonWriter& json, const char* name, const ModelDefinition& definition, const char* parameter);

}  // namespace modelmill::torchserve
