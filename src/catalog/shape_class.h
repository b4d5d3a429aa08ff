#pragma once

#include <cstdint>
#include <string>

#include "model/signature.h"
#include "request/infer_request.h"

namespace modelmill {

/// Two requests are of one shape class, and so may share a batch, when they bring the same inputs with the same types
/// and the same sizes in every dimension but the first. The order of the inputs does not matter.
bool same_shape_class(const InferRequest& a, const InferRequest& b);

/// Equal for requests of one class; for others it differs nearly always.
uint64_t shape_class_hash(const InferRequest& request);

/// The shapes of the request's inputs without their rows, for people: "ids INT64[*,128]".
std::string shape_class_text(const InferRequest& request);

/// Whether every request that keeps to the signature is of one class: nothing is optional, and only the first dimension
/// varies.
bool has_one_shape_class(const Signature& signature);

}  // namespace modelmill
