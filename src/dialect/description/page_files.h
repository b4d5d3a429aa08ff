#pragma once

#include <vector>

#include "base/embedded_file.h"

namespace modelmill::description {

/// The parts of the front page: page.html, page.css and page.js.
const std::vector<EmbeddedFile>& page_files();

}  // namespace modelmill::description
