#pragma once

#include <simdjson.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "model/signature.h"
#include "request/infer_request.h"

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
/// Reads [{COLUMN: CELL, ...}, ...]: every record has the columns of the first.
Result<Dataframe> read_records(simdjson::dom::element value);

/// Puts the columns into the inputs of their names, where every input that a request needs has one. A model with one
/// input gets all columns, in their order, as the rows of a matrix otherwise, and where they are as many as its rows
/// have values. A cell that is null is a missing number: NaN. INVALID_ARGUMENT names the column and row of what does
/// not fit.
Status put_columns(const Dataframe& frame, const Signature& signature, InferRequest& request);

}  // namespace modelmill::invocations
