#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// Puts the text in the place of what the file has, whole or not at all, for its owner alone. It is on the disk when
/// this returns OK; after an error the old content stays. One writer of a file at a time. The draft lies beside it as
/// FILE.draft, and stays there only if the process dies.
Status replace_file(const std::string& file, std::string_view text);

/// Removes the file for good; the folder is on the disk when this returns.
Status remove_file(const std::string& file);

/// A whole file. NOT_FOUND when it is not there, RESOURCE_EXHAUSTED when it has more than `limit` bytes.
Result<std::string> read_whole_file(const std::string& file, uint64_t limit);

}  // namespace modelmill
