#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend_model.h"

namespace modelmill {

/// The shape on the other side of a `reshape`: `from` and `to` are patterns without batch dimension that have equally
/// many -1, and the same element counts between them; each -1 of `to` takes the size that `actual` has at the same -1
/// of `from`. With `batched` the first dimension of `actual` is kept. nullopt when `actual` is not of the pattern.
/// Pure.
std::optional<Shape> reshaped(const Shape& from, const Shape& to, const Shape& actual, bool batched);

/// Whether what clients see differs from what the backend does: reshapes, or outputs that are left out.
bool needs_adapting(const ModelDefinition& definition, const Signature& model);

/// Between the scheduler and a backend's instance of a model whose configuration reshapes tensors or names only some of
/// the outputs: shapes change on the way in and out, bytes don't. Thread-safety is the wrapped instance's.
std::unique_ptr<BackendInstance> adapt_instance(std::unique_ptr<BackendInstance> instance,
                                                const ModelDefinition& definition, bool batched);

}  // namespace modelmill
