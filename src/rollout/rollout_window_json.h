#pragma once

#include <simdjson.h>

#include "base/json_text.h"
#include "rollout/rollout_decision.h"

namespace modelmill {

/// A window's counts as fields of the JSON object that is open.
void write_window_fields(JsonWriter& json, const RolloutWindow& window);
/// Reads them from an object that may have others; false: they are not whole.
bool read_window_fields(const simdjson::dom::element& value, RolloutWindow& into);

}  // namespace modelmill
