#include "repository/torchserve_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "model/yaml_check.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr uint64_t kLimit = 16 << 20;
constexpr int64_t kMost = 1 << 30;

class Translation {
 public:
  Translation(const YAML::Node& root, const std::string& file, std::vector<ConfigProblem>& problems)
      : root_(root), file_(file), problems_(problems) {}

  ModelLayer run() {
    put_workers();
    put_device();
    put_batches();
    put_time("responseTimeout", "execution_timeout_s");
    put_time("startupTimeout", "start_timeout_s");
    layer_.place_of = [file = file_](const std::string&) { return file; };
    return std::move(layer_);
  }

 private:
  std::optional<int64_t> number(const char* key, int64_t least) {
    const YAML::Node value = root_[key];
    if (!value.IsDefined()) return std::nullopt;
    const auto found = value.IsScalar() ? yaml_number(value) : std::nullopt;
    if (found && *found >= least && *found <= kMost) return found;
    problems_.push_back({Code::kInvalidArgument, yaml_place(file_, value.Mark()),
                         "'" + std::string(key) + "' must be a whole number from " + std::to_string(least) + " on"});
    return std::nullopt;
  }

  void put_workers() {
    const auto least = number("minWorkers", 0), most = number("maxWorkers", 0);
    if (!least && !most) return;
    InstanceRange range;
    if (least) range.min = static_cast<int>(*least);
    range.max = static_cast<int>(most.value_or(std::max<int64_t>(least.value_or(1), 1)));
    layer_.instance_range = range;
    if (range.min != range.max) return;
    group().set_count(std::max(*range.max, 1));
  }

  void put_device() {
    using Group = inference::ModelInstanceGroup;
    if (const YAML::Node type = root_["deviceType"]; type.IsDefined() && type.IsScalar())
      group().set_kind(type.Scalar() == "gpu"   ? Group::KIND_GPU
                       : type.Scalar() == "cpu" ? Group::KIND_CPU
                                                : Group::KIND_AUTO);
    const YAML::Node ids = root_["deviceIds"];
    if (!ids.IsDefined() || !ids.IsSequence()) return;
    for (const auto& id : ids)
      if (const auto gpu = yaml_number(id)) group().add_gpus(static_cast<int32_t>(*gpu));
    if (!root_["deviceType"].IsDefined()) group().set_kind(Group::KIND_GPU);
  }

  void put_batches() {
    const auto size = number("batchSize", 1), delay = number("maxBatchDelay", 0), queue = number("jobQueueSize", 1);
    if (size) {
      layer_.config.set_max_batch_size(static_cast<int32_t>(*size));
      layer_.fields.insert("max_batch_size");
    }
    if (!queue && (!size || *size == 1)) return;
    layer_.fields.insert("dynamic_batching");
    auto& batching = *layer_.config.mutable_dynamic_batching();
    if (delay && size && *size > 1) batching.set_max_queue_delay_microseconds(static_cast<uint64_t>(*delay) * 1000);
    if (queue) batching.mutable_default_queue_policy()->set_max_queue_size(static_cast<uint32_t>(*queue));
  }

  void put_time(const char* key, const char* parameter) {
    if (const auto seconds = number(key, 1)) {
      (*layer_.config.mutable_parameters())[parameter].set_string_value(std::to_string(*seconds));
      layer_.fields.insert("parameters");
    }
  }

  inference::ModelInstanceGroup& group() {
    layer_.fields.insert("instance_group");
    auto* groups = layer_.config.mutable_instance_group();
    return groups->empty() ? *groups->Add() : *groups->Mutable(0);
  }

  const YAML::Node& root_;
  const std::string& file_;
  std::vector<ConfigProblem>& problems_;
  ModelLayer layer_;
};

}  // namespace

ModelLayer torchserve_layer(const YAML::Node& keys, const std::string& place, std::vector<ConfigProblem>& problems) {
  return Translation(keys, place, problems).run();
}

ModelLayer read_torchserve_config(const std::string& file, std::vector<ConfigProblem>& problems) {
  ModelLayer nothing;
  nothing.place_of = [file](const std::string&) { return file; };
  const auto text = read_file(file, kLimit);
  if (!text.ok()) {
    problems.push_back({text.status().code(), file, text.status().message()});
    return nothing;
  }
  YAML::Node root;
  if (!read_yaml(*text, file, root, problems) || root.IsNull()) return nothing;
  if (!root.IsMap()) {
    problems.push_back({Code::kInvalidArgument, file,
                        "it has no keys, such as minWorkers or batchSize; write some, or remove the file"});
    return nothing;
  }
  try {
    return Translation(root, file, problems).run();
  } catch (const YAML::Exception& e) {
    problems.push_back(
        {Code::kInvalidArgument, yaml_place(file, e.mark), "can't be read: " + e.msg + "; correct the YAML"});
    return nothing;
  }
}

}  // namespace modelmill
