#pragma once

#include <string>

#include "base/status.h"
#include "state/entry_text.h"

namespace modelmill {

/// Makes sure that the store in `folder` has the current format, as its file `format` says ({"format": 1}): notes it in
/// a new store, and raises it in a store of the format before, after a copy of the store was put beside it
/// (FOLDER.format-1) for the way back. FAILED_PRECONDITION for a format that this release doesn't read; then nothing is
/// touched. Under the store's lock.
Status keep_format(const std::string& folder, const StoreFormats& formats);

/// OK when the store still has the current format: a later release may have raised it meanwhile. Under the lock.
Status check_format(const std::string& folder, const StoreFormats& formats);

}  // namespace modelmill
