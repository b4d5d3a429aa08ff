#include "lifecycle/model_parameters.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/duration_text.h"
#include "base/size_text.h"
#include "model/triton_config.h"

namespace modelmill {
namespace {

constexpr int kMostOfCount = 1'024;

const std::string* parameter(const ModelDefinition& definition, const char* name) {
  const auto it = definition.parameters.find(name);
  return it == definition.parameters.end() ? nullptr : &it->second;
}

Status wrong(const ModelDefinition& definition, const char* name, const std::string& text, const std::string& must) {
  return invalid_argument("model '" + definition.name + "': parameter '" + name + "' is '" + text + "', but must be " +
                          must);
}

Status read_count(const ModelDefinition& definition, const char* name, int& into) {
  const std::string* text = parameter(definition, name);
  if (!text) return ok_status();
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), into);
  if (error == std::errc() && end == text->data() + text->size() && into >= 0 && into <= kMostOfCount)
    return ok_status();
  return wrong(definition, name, *text, "a number from 0 to " + std::to_string(kMostOfCount));
}

/// "0-2,5".
Status read_cores(std::string_view text, std::vector<int>& cores) {
  const auto number = [&text](int& into) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return error == std::errc() && into >= 0 && into < CPU_SETSIZE;
  };
  while (true) {
    int first = 0;
    if (!number(first)) return invalid_argument("");
    int last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      if (!number(last) || last < first) return invalid_argument("");
    }
    for (int core = first; core <= last; ++core) cores.push_back(core);
    if (text.empty()) return ok_status();
    if (!text.starts_with(',')) return invalid_argument("");
    text.remove_prefix(1);
  }
}

}  // namespace

Result<std::chrono::microseconds> objective_of(const ModelDefinition& definition, const LoadSettings& settings) {
  constexpr const char kName[] = "objective_p99_us";
  if (const std::string* own = parameter(definition, kName)) {
    const auto objective = parse_duration(*own + "us");
    if (!objective.ok()) return wrong(definition, kName, *own, "microseconds, from 1 to an hour's");
    return *objective;
  }
  if (definition.batching.objective_p99.count() > 0) return definition.batching.objective_p99;
  for (const std::string& name : {definition.name, std::string()})
    if (const auto given = settings.objectives.find(name); given != settings.objectives.end()) return given->second;
  return std::chrono::microseconds(0);
}

Result<std::vector<int64_t>> allowed_sizes_of(const ModelDefinition& definition) {
  constexpr const char kName[] = "allowed_batch_sizes";
  std::vector<int64_t> sizes;
  const std::string* text = parameter(definition, kName);
  if (!text) return definition.batching.allowed_sizes;
  const char* at = text->data();
  const char* const end = at + text->size();
  while (true) {
    while (at != end && *at == ' ') ++at;
    int64_t size = 0;
    const auto [after, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 1)
      return wrong(definition, kName, *text, "numbers of 1 and more with commas between them, such as 1,4,16");
    if (!sizes.empty() && size <= sizes.back())
      return wrong(definition, kName, *text, "ascending: allowed_batch_sizes entries must be monotonically increasing");
    sizes.push_back(size);
    for (at = after; at != end && *at == ' ';) ++at;
    if (at == end) break;
    if (*at != ',')
      return wrong(definition, kName, *text, "numbers of 1 and more with commas between them, such as 1,4,16");
    ++at;
  }
  const int64_t most = definition.max_batch_size.value_or(0);
  if (sizes.back() != most)
    return wrong(definition, kName, *text,
                 "set together with max_batch_size: Last entry in allowed_batch_sizes must match max_batch_size; last "
                 "entry was " +
                     std::to_string(sizes.back()) + "; expected " + std::to_string(most));
  return sizes;
}

Result<std::vector<std::vector<int>>> affinity_of(const ModelDefinition& definition) {
  constexpr const char kName[] = "cpu_affinity";
  std::vector<std::vector<int>> lists;
  const std::string* text = parameter(definition, kName);
  if (!text) return lists;
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (::sched_getaffinity(0, sizeof usable, &usable) != 0) return lists;
  for (size_t begin = 0; begin <= text->size();) {
    const size_t end = std::min(text->find(';', begin), text->size());
    if (!read_cores(std::string_view(*text).substr(begin, end - begin), lists.emplace_back()).ok())
      return wrong(definition, kName, *text, "lists of cores, one for each instance, such as 0-1;2,3");
    for (const int core : lists.back())
      if (!CPU_ISSET(static_cast<size_t>(core), &usable))
        return wrong(definition, kName, *text,
                     "cores that this process may use; core " + std::to_string(core) + " is none of them");
    begin = end + 1;
  }
  return lists;
}

Result<uint64_t> instance_memory_of(const ModelDefinition& definition) {
  constexpr const char kName[] = "instance_memory";
  if (const std::string* text = parameter(definition, kName)) {
    const auto bytes = parse_bytes(*text);
    if (!bytes.ok()) return wrong(definition, kName, *text, "a size in bytes or with its unit, such as 2GiB");
    return *bytes;
  }
  inference::ModelConfig config;
  if (definition.backend != "onnxruntime" || !config.ParseFromString(definition.triton_config)) return uint64_t{0};
  for (const auto& accelerator : config.optimization().execution_accelerators().gpu_execution_accelerator()) {
    const auto limit = accelerator.parameters().find("gpu_mem_limit");
    // A wrong one is ONNX Runtime's to refuse.
    if (limit != accelerator.parameters().end()) {
      const auto bytes = parse_bytes(limit->second);
      return bytes.ok() ? *bytes : uint64_t{0};
    }
  }
  return uint64_t{0};
}

Result<InstanceLimits> limits_of(const ModelDefinition& definition, const LoadSettings& settings) {
  constexpr const char kZero[] = "scale_to_zero_after";
  const InstanceRange& own = definition.instance_range;
  InstanceLimits limits = settings.instance_limits;
  if (own.min) limits.min = *own.min;
  if (own.max) limits.max = *own.max;
  if (own.zero_after.count() > 0) limits.zero_after = own.zero_after;
  MM_RETURN_IF_ERROR(read_count(definition, "min_instances", limits.min));
  MM_RETURN_IF_ERROR(read_count(definition, "max_instances", limits.max));
  if (const std::string* text = parameter(definition, kZero)) {
    const auto after = parse_duration(*text);
    if (!after.ok()) return wrong(definition, kZero, *text, "a time with its unit, such as 600s, of at most an hour");
    limits.zero_after = *after;
  }
  if (limits.max == 0 && limits.zero_after == Duration{}) return InstanceLimits{};
  if (limits.max == 0) limits.max = std::max(1, limits.min);
  // The last one goes only where that was asked for; a least number that the model has asked for stays.
  if (limits.zero_after == Duration{}) limits.min = std::max(1, limits.min);
  if (limits.zero_after > Duration{} && !parameter(definition, "min_instances") && !own.min) limits.min = 0;
  if (limits.min > limits.max)
    return invalid_argument("model '" + definition.name + "': min_instances is " + std::to_string(limits.min) +
                            ", above max_instances, " + std::to_string(limits.max));
  return limits;
}

}  // namespace modelmill
