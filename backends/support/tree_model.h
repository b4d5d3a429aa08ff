#pragma once

#include <memory>
#include <vector>

#include "support/booster.h"
#include "support/tree_options.h"

namespace modelmill::backend {

/// A tree model as the server sees it: a matrix of features, or an input for each of them, in; one quantity of each row
/// out. All instances share the booster.
class TreeModel final : public Model {
 public:
  /// `options` are settled here with what the booster says of itself.
  TreeModel(const ModelArgs& args, std::unique_ptr<Booster> booster, TreeOptions options);

  ModelInfo info() override;
  std::unique_ptr<Instance> create_instance(const InstanceArgs& args) override;

 private:
  const std::unique_ptr<Booster> booster_;
  TreeOptions options_;
  std::vector<int64_t> row_shape_;  // of the output
  mm_dtype output_type_;
  const uint64_t memory_bytes_;
};

}  // namespace modelmill::backend
