#pragma once

#include <string>

namespace modelmill {

/// The JSON schema of modelmill.yaml (docs/modelmill.schema.json), made from the rules that the reading obeys, with a
/// line end after it.
std::string yaml_json_schema();

}  // namespace modelmill
