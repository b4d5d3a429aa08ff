#pragma once

#include <vector>

#include "base/embedded_file.h"

namespace modelmill {

/// The files of a new backend: its sources from templates/backend, and the headers that they are built against. They
/// are part of the program so that `modelmill new` works wherever it does. Their names have placeholders as their
/// texts.
const std::vector<EmbeddedFile>& embedded_files();

}  // namespace modelmill
