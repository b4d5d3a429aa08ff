#include "server/version.h"

namespace modelmill {

const char* server_version() { return MODELMILL_VERSION; }

}  // namespace modelmill
