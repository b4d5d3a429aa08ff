#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/status.h"
#include "model/signature.h"
#include "request/infer_request.h"

namespace modelmill::predict {

/// How a body is written.
enum class Format { kJson, kCsv, kNpy };

/// What a body is: by its content, and by Content-Type where the content leaves it open. Clients such as curl name
/// types that say nothing ("application/x-www-form-urlencoded"), so what can be recognised is believed first.
Format detect_format(std::string_view content_type, std::string_view body);

/// Fills the request's inputs from a body written for people: shapes are taken from the data, numbers become the type
/// of the model's input, and where an input lacks its first dimension, of size 1 or any, that is added.
/// `added_dimension` tells whether every input had one added, so that the answer is given without it. INVALID_ARGUMENT
/// says what does not fit.
Status parse_inputs(const Bytes& body, Format format, const Signature& signature, InferRequest& request,
                    bool& added_dimension);

/// Gives a tensor read from a table or an array the shape that the input has: a row may hold the inner dimensions,
/// flattened, and a first dimension that lacks is added, which `added` tells. INVALID_ARGUMENT where it does not fit.
Status fit_table(const TensorSpec& spec, Tensor& tensor, bool& added);

}  // namespace modelmill::predict
