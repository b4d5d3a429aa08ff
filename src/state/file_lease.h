#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "state/store.h"

namespace modelmill {

/// A lease by the kernel's lock on a file, so that it is free at once when its holder dies, however it dies. The file
/// stays, and says who holds it: process and host. ALREADY_EXISTS names them when it is held, by this process too.
Result<std::unique_ptr<StoreLease>> acquire_file_lease(const std::string& file, const std::string& name);

}  // namespace modelmill
