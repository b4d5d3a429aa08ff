#pragma once

#include <string>

#include "catalog/model_version.h"

namespace modelmill {

/// What in a new version would break clients of the one before: an input that is gone, has another type, takes fewer
/// shapes or has become necessary; an output that is gone, has another type or shape; answers of another number;
/// a named signature of which any of that is true. Empty: nothing. The first that is found, as a sentence's part:
/// "input 'x' has type INT64, was FP32".
std::string breaking_change(const ModelVersion& before, const ModelVersion& after);

/// The same of signatures alone.
std::string breaking_change(const Signature& before, const Signature& after);

/// Clients of the one can be clients of the other, both ways.
bool same_signature(const Signature& a, const Signature& b);

}  // namespace modelmill
