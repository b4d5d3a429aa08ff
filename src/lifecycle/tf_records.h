#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// The records of a TFRecord file: for each a 64-bit little-endian length, the length's checksum, the bytes, theirs.
/// The views are of `file`. DATA_LOSS, with the record's number, where the file is cut or a checksum is wrong;
/// INVALID_ARGUMENT when there are more than `most`.
Result<std::vector<std::string_view>> read_tf_records(std::string_view file, size_t most);

/// Adds a record to what such a file holds.
void append_tf_record(std::string& file, std::string_view record);

}  // namespace modelmill
