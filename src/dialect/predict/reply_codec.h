#pragma once

#include <string_view>

#include "base/result.h"
#include "dialect/predict/request_codec.h"
#include "request/infer_response.h"
#include "wire/http.h"

namespace modelmill::predict {

/// The format of the answer by the Accept header: JSON unless text/csv or application/x-npy is asked for.
Format choose_format(std::string_view accept);

/// The outputs as nested JSON arrays by name, or one output as CSV or .npy. With `drop_dimension` a leading dimension
/// of 1 that the request was given is taken away again. INVALID_ARGUMENT when CSV or .npy was asked for and there are
/// several.
Result<wire::HttpReply> write_reply(InferResponse response, Format format, bool drop_dimension);

}  // namespace modelmill::predict
