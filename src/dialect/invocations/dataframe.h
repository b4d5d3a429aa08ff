#pragma once

#include <simdjson.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace modelmill::invocations {

/// A table that came as JSON. Its cells, row after row, live as long as the document.
struct Dataframe {
  std::vector<std::string> columns;  // their names; numbers where the client gave none
  std::vector<simdjson::dom::element> cells;

  size_t rows() const { return columns.empty() ? 0 : cells.size() / columns.size(); }
};

/// Reads {"columns": [...], "data": [[...], ...]}, where columns may be missing; an index is let be. INVALID_ARGUMENT
/// says what is wrong.
Result<Dataframe> read_split(simdjson::dom::element value);
/// Reads [{COLUMN: CELL, ...}, ...]: the columns are those of all records, in the order in which they come first, and
/// null where a record lacks one. INVALID_ARGUMENT says what is wrong, such as a name that comes twice in a record, and
/// tables of which little more is given than their names.
Result<Dataframe> read_records(simdjson::dom::element value);

}  // namespace modelmill::invocations
