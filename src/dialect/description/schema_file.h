#pragma once

#include <vector>

#include "base/embedded_file.h"

namespace modelmill::description {

/// schemas.json: the schemas that operations name, by their names.
const std::vector<EmbeddedFile>& schema_file();

}  // namespace modelmill::description
