#pragma once

#include <memory>
#include <vector>

#include "support/booster.h"
#include "support/tree_options.h"

namespace modelmill::backend {

/// Makes an instance of a tree model that answers with `row_shape` numbers of `output_type` for each row. The booster
/// and the options outlive it.
std::unique_ptr<Instance> make_tree_instance(const Booster& booster, const TreeOptions& options,
                                             std::vector<int64_t> row_shape, mm_dtype output_type);

}  // namespace modelmill::backend
