#pragma once

#include <vector>

#include "base/embedded_file.h"

namespace modelmill::description {

/// The parts of the pages: page.html, page.css and page.js of the front page, docs.html, docs.css and docs.js.
const std::vector<EmbeddedFile>& page_files();

}  // namespace modelmill::description
