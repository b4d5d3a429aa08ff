#pragma once

namespace modelmill {

/// This program's version, "1.2.3".
const char* server_version();

}  // namespace modelmill
