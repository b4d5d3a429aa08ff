#pragma once

namespace modelmill {

/// Calls `visit(name, member)` for each member of a ModelLayer for which Triton's configuration has no field; each is a
/// std::optional, and its name is what ModelLayer::says() and place_of() know it by.
template <typename Layer, typename Visit>
void for_each_extra(Layer& layer, const Visit& visit) {
  visit("labels", layer.labels);
  visit("default_version", layer.default_version);
  visit("swap", layer.swap);
  visit("allow_breaking", layer.allow_breaking);
  visit("pinned", layer.pinned);
  visit("instance_range", layer.instance_range);
  visit("instance_threads", layer.instance_threads);
  visit("objective_p99", layer.objective_p99);
  visit("allowed_sizes", layer.allowed_sizes);
  visit("request_logs", layer.request_logs);
  visit("combination", layer.combination);
  visit("pipeline", layer.pipeline);
}

}  // namespace modelmill
