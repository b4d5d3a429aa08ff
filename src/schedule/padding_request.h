#pragma once

#include "request/infer_request.h"

namespace modelmill {

/// A request that fills up the batch that `first` begins: so many times its first row. Nobody gets its answer.
InferRequestPtr make_padding(const InferRequest& first, int64_t rows);

}  // namespace modelmill
