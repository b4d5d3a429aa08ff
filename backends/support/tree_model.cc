#include "support/tree_model.h"

#include <algorithm>
#include <filesystem>

#include "support/tree_instance.h"

namespace modelmill::backend {
namespace {

/// Trees take a few times the bytes of their file.
constexpr uint64_t kMemoryPerFileByte = 2;
/// Of a batch, unless the configuration says otherwise: rows are small, and a call of the library costs as much as tens
/// of them.
constexpr int64_t kMostRows = 1'024;
constexpr int64_t kMostFeatures = 16 << 20;  // of all rows

uint64_t memory_of(const std::string& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  return error ? 0 : size * kMemoryPerFileByte;
}

std::vector<int64_t> output_row_shape(const TreeOptions& options, const Booster& booster) {
  std::vector<int64_t> shape = booster.row_shape();
  const bool multiclass = booster.facts().multiclass;
  if (options.output == TreeOutput::kClass && multiclass && !shape.empty()) shape.pop_back();
  if (options.output == TreeOutput::kProbability && !multiclass) shape.push_back(2);
  if (shape.empty() && options.rank_two) shape.push_back(1);
  return shape;
}

mm_dtype natural_type(const TreeOptions& options, const Booster& booster) {
  if (options.output == TreeOutput::kClass) return MM_INT64;
  return options.output == TreeOutput::kLeaf ? MM_INT32 : booster.result_type();
}

}  // namespace

TreeModel::TreeModel(const ModelArgs& args, std::unique_ptr<Booster> booster, TreeOptions options)
    : booster_(std::move(booster)), options_(std::move(options)), memory_bytes_(memory_of(args.file)) {
  options_.settle(booster_->facts());
  row_shape_ = output_row_shape(options_, *booster_);
  output_type_ = options_.output_type != MM_DTYPE_INVALID ? options_.output_type : natural_type(options_, *booster_);
}

ModelInfo TreeModel::info() {
  ModelInfo out;
  const BoosterFacts& facts = booster_->facts();
  if (options_.columns) {
    for (const std::string& name : facts.feature_names)
      out.inputs.push_back({name, options_.input_type, {-1}, {"batch"}, false});
  } else {
    out.inputs.push_back({options_.input_name, options_.input_type, {-1, facts.features}, {"batch", ""}, false});
  }
  TensorSpec result{options_.output_name, output_type_, {-1}, {"batch"}, false};
  for (const int64_t size : row_shape_) {
    result.shape.push_back(size);
    result.symbols.emplace_back();
  }
  out.outputs.push_back(std::move(result));
  out.capabilities = MM_CAP_ROWS_INDEPENDENT;
  out.batching = MM_BATCHING_ROWS;
  out.max_batch_size = std::clamp<int64_t>(kMostFeatures / std::max<int64_t>(1, facts.features), 1, kMostRows);
  if (booster_->never_blocks()) out.capabilities |= MM_CAP_INLINE_SAFE;
  out.memory_bytes = memory_bytes_;
  out.platform = options_.fil ? "fil" : "";
  return out;
}

std::unique_ptr<Instance> TreeModel::create_instance(const InstanceArgs& args) {
  if (args.kind == MM_DEVICE_GPU)
    throw Error(MM_UNIMPLEMENTED, "trees run on the CPU; ask for KIND_CPU in instance_group");
  return make_tree_instance(*booster_, options_, row_shape_, output_type_);
}

}  // namespace modelmill::backend
