#pragma once

#include "base/status.h"
#include "dialect/invocations/dataframe.h"
#include "model/signature.h"
#include "request/infer_request.h"

namespace modelmill::invocations {

/// Puts the columns into the inputs of their names, where every input that a request needs has one. A model with one
/// input gets all columns, in their order, as the rows of a matrix otherwise, and where they are as many as its rows
/// have values. A row of the table is one of the input, unless the input's first size is fixed. A cell that is null is
/// a missing number: NaN. INVALID_ARGUMENT names the column and row of what does not fit.
Status put_columns(const Dataframe& frame, const Signature& signature, InferRequest& request);

}  // namespace modelmill::invocations
