#include "model/effective_config.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <set>
#include <utility>

#include "base/json_text.h"
#include "model_config.pb.h"
#include "tensor/dtype.h"

namespace modelmill {
namespace {

constexpr const char* kDefault = "default";

/// A scalar of YAML that reads back as this text.
std::string in_quotes(const std::string& text) {
  static const std::set<std::string> kWords{"true", "false", "null", "yes", "no", "on", "off", "~"};
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '/' || c == '-';
  };
  if (!text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) != 0 || text[0] == '/' || text[0] == '.') &&
      std::all_of(text.begin(), text.end(), plain) && !kWords.contains(text))
    return text;
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string time_text(std::chrono::microseconds time) {
  const int64_t us = time.count();
  if (us % 1'000'000 == 0) return std::to_string(us / 1'000'000) + "s";
  return us % 1'000 == 0 ? std::to_string(us / 1'000) + "ms" : std::to_string(us) + "us";
}

const char* switch_text(bool on) { return on ? "true" : "false"; }

template <typename Range>
std::string list_text(const Range& numbers) {
  std::string out;
  for (const auto number : numbers) out += (out.empty() ? "" : ", ") + std::to_string(number);
  return "[" + out + "]";
}

template <typename Map, typename Text>
std::string map_text(const Map& map, Text text) {
  std::string out;
  for (const auto& [key, value] : map) out += (out.empty() ? "" : ", ") + in_quotes(key) + ": " + text(value);
  return "{" + out + "}";
}

std::string versions_text(const VersionPolicy& policy) {
  switch (policy.kind) {
    case VersionPolicy::Kind::kAll: return "all";
    case VersionPolicy::Kind::kSpecific: return "{specific: " + list_text(policy.specific) + "}";
    case VersionPolicy::Kind::kLatest: break;
  }
  return "{latest: " + std::to_string(policy.latest) + "}";
}

std::string queue_text(const QueuePolicy& queue) {
  std::string out = "{max_size: " + std::to_string(queue.max_queue_size);
  if (queue.default_timeout.count() > 0) out += ", timeout: " + time_text(queue.default_timeout);
  out += queue.timeout_action == QueuePolicy::TimeoutAction::kDelay ? ", timeout_action: delay" : "";
  return out + ", allow_timeout_override: " + switch_text(queue.allow_timeout_override) + "}";
}

std::string float_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

/// The shortest that reads back as the same number.
std::string exact_text(double value) {
  std::string text;
  append_json_number(text, value);
  return text;
}

/// `weights: {...}` of an ensemble.
std::string weights_yaml(const WeightLearning& learning) {
  std::string out = "{learn: feedback, rate: " + float_text(learning.rate) + ", floor: " + float_text(learning.floor);
  if (learning.loss) out += ", loss: " + std::string(loss_name(*learning.loss));
  if (learning.range != 1) out += ", range: " + float_text(learning.range);
  if (!learning.output.empty()) out += ", output: " + in_quotes(learning.output);
  return out + "}";
}

/// `when: ...` of a step; empty: it has none.
std::string when_yaml(const EnsembleStep& step) {
  if (step.otherwise) return ", when: otherwise";
  if (!step.when) return "";
  const StepCondition& when = *step.when;
  // A text that reads as a number or switch stays a text by its quotes.
  std::string text;
  append_json_string(text, when.text);
  return ", when: {tensor: " + in_quotes(when.tensor) + ", " + std::string(test_name(when.test)) + ": " +
         (when.is_text ? text : exact_text(when.number)) +
         (when.reduction == StepCondition::Reduction::kAny ? ", of: any}" : "}");
}

/// `ensemble: {...}`, in a line.
std::string ensemble_yaml(const EnsembleDefinition& ensemble) {
  std::string list;
  const auto add = [&list](const std::string& entry) { list += (list.empty() ? "" : ", ") + entry; };
  if (!ensemble.combination) {
    for (const EnsembleStep& step : ensemble.steps)
      add("{model: " + in_quotes(step.text()) + ", inputs: " + map_text(step.inputs, in_quotes) +
          ", outputs: " + map_text(step.outputs, in_quotes) + when_yaml(step) + "}");
    return "    ensemble: {steps: [" + list + "]}";
  }
  const CombinationDefinition& combination = *ensemble.combination;
  for (const auto& member : combination.members) {
    const std::string model = in_quotes(EnsembleStep{member.model, member.version, member.label, {}, {}}.text());
    add(member.weight == 1 ? model : "{model: " + model + ", weight: " + float_text(member.weight) + "}");
  }
  std::string out =
      "    ensemble: {combine: " + std::string(combiner_name(combination.combiner)) + ", members: [" + list;
  list.clear();
  for (const std::string& output : combination.outputs) add(in_quotes(output));
  out += list.empty() ? "]" : "], outputs: [" + list + "]";
  if (combination.quorum > 0) out += ", quorum: " + std::to_string(combination.quorum);
  if (combination.deadline.count() > 0) out += ", deadline: " + time_text(combination.deadline);
  if (combination.learning) out += ", weights: " + weights_yaml(*combination.learning);
  return out + "}";
}

/// How much is written.
enum class Extent {
  kWhole,  // every key, also those that nobody speaks of
  kSaid,   // what the layers say, and no name, path or backend that was found
};

class Writer {
 public:
  Writer(const ModelDefinition& definition, std::span<const ModelLayer> layers, Extent extent)
      : definition_(definition), layers_(layers), only_said_(extent == Extent::kSaid) {}

  std::string write(const std::string& path, const std::string& backend_from) {
    if (!only_said_) {
      out_ = "  - name: " + in_quotes(definition_.name) + comment(origin("name"));
      line("path", in_quotes(path), "found there");
    }
    const bool backend_said = says("backend") || says("platform");
    if (!definition_.backend.empty())
      line("backend", in_quotes(definition_.backend),
           !backend_said ? backend_from : (says("backend") ? origin("backend") : origin("platform")));
    if (!definition_.default_model_filename.empty())
      line("file", in_quotes(definition_.default_model_filename), origin("default_model_filename"));
    write_versions();
    if (!definition_.ensemble) {
      write_instances();
      write_batching();
      write_queues();
    }
    line("decoupled", switch_text(definition_.decoupled), origin("model_transaction_policy", "the backend at load"),
         definition_.decoupled_given);
    line("response_cache", switch_text(definition_.response_cache), origin("response_cache"));
    line("swap", definition_.swap == SwapPolicy::kResource ? "resource" : "availability", origin("swap"));
    line("allow_breaking", switch_text(definition_.allow_breaking), origin("allow_breaking"));
    line("pinned", switch_text(definition_.pinned), origin("pinned"));
    write_tensors("inputs", "input", definition_.inputs);
    write_tensors("outputs", "output", definition_.outputs);
    write_maps();
    if (definition_.ensemble) {
      out_ += ensemble_yaml(*definition_.ensemble) + comment(origin(ensemble_field(*definition_.ensemble)));
      return std::move(out_);
    }
    write_warmup();
    return std::move(out_);
  }

 private:
  bool says(const std::string& field) const { return !origin_of(layers_, field).empty(); }

  /// Empty for what nobody says, where only that is wanted which somebody does.
  std::string origin(const std::string& field, const char* otherwise = kDefault) const {
    const std::string place = origin_of(layers_, field);
    return place.empty() && !only_said_ ? otherwise : place;
  }

  static std::string comment(const std::string& text) { return "  # " + text + "\n"; }

  /// A key of the model; one that is not `said` is a comment, because it is decided later.
  void line(const std::string& key, const std::string& value, const std::string& from, bool said = true,
            const char* indent = "    ") {
    if (only_said_ && (!said || from.empty())) return;
    out_ += std::string(indent) + (said ? "" : "# ") + key + ": " + value + comment(from);
  }

  void write_versions() {
    line("versions", versions_text(definition_.version_policy), origin("version_policy"));
    if (!definition_.labels.empty())
      line("labels", map_text(definition_.labels, [](int64_t version) { return std::to_string(version); }),
           origin("labels"));
    line("default_version", definition_.default_version ? std::to_string(*definition_.default_version) : "the newest",
         origin("default_version"), definition_.default_version.has_value());
  }

  void write_instances() {
    const InstanceRange& range = definition_.instance_range;
    const auto& groups = definition_.instance_groups;
    if (groups.size() > 1 && !only_said_)
      out_ += "    # " + std::to_string(groups.size()) + " groups of instances, for which there is no key; " +
              origin("instance_group") + "\n";
    const bool counted = groups.size() == 1 && groups[0].count > 0;
    if (counted) {
      line("instances", std::to_string(groups[0].count), origin("instance_group"));
    } else if (range.min || range.max || range.zero_after.count() > 0) {
      std::string text;
      if (range.min) text += "min: " + std::to_string(*range.min);
      if (range.max) text += (text.empty() ? "max: " : ", max: ") + std::to_string(*range.max);
      if (range.zero_after.count() > 0)
        text += (text.empty() ? "zero_after: " : ", zero_after: ") + time_text(range.zero_after);
      line("instances", "{" + text + "}", origin("instance_range"));
    } else if (!only_said_) {
      line("instances", "0", "chosen at load by the backend and the cores");
    }
    line("instance_threads", std::to_string(definition_.instance_threads),
         origin("instance_threads", "the option --instance-threads, or the backend"));
    if (groups.size() != 1) return;
    using Kind = InstanceGroup::Kind;
    const Kind kind = groups[0].kind;
    if (kind == Kind::kAuto && groups[0].gpus.empty() && (only_said_ || !counted)) return;
    line("device", kind == Kind::kGpu ? "gpu" : kind == Kind::kCpu ? "cpu" : "auto", origin("instance_group"));
    if (!groups[0].gpus.empty()) line("gpus", list_text(groups[0].gpus), origin("instance_group"));
  }

  void write_batching() {
    const BatchingDefinition& batching = definition_.batching;
    const auto inside = [this](const char* key, const std::string& value, const std::string& from, bool said = true) {
      line(key, value, from, said, "      ");
    };
    const bool sized = definition_.max_batch_size.has_value();
    const bool any = sized || says("dynamic_batching") || says("allowed_sizes") || batching.objective_p99.count() > 0;
    if (only_said_ && !any) return;
    out_ += any ? "    batching:\n" : "    # batching:\n";
    inside("max_size", sized ? std::to_string(*definition_.max_batch_size) : "open",
           origin("max_batch_size", "decided at load by the model's signature and a probe"), sized);
    if (batching.max_queue_delay.count() > 0)
      inside("delay", time_text(batching.max_queue_delay), origin("dynamic_batching.max_queue_delay_microseconds"));
    if (!batching.preferred_sizes.empty())
      inside("preferred_sizes", list_text(batching.preferred_sizes), origin("dynamic_batching.preferred_batch_size"));
    if (!batching.allowed_sizes.empty())
      inside("allowed_sizes", list_text(batching.allowed_sizes), origin("allowed_sizes"));
    inside("preserve_ordering", switch_text(batching.preserve_ordering), origin("dynamic_batching.preserve_ordering"),
           any);
    if (batching.objective_p99.count() > 0)
      inside("objective", "{p99: " + time_text(batching.objective_p99) + "}", origin("objective_p99"));
  }

  void write_queues() {
    const BatchingDefinition& batching = definition_.batching;
    const std::string queue = queue_text(batching.queue);
    line("queue", queue, origin("dynamic_batching.default_queue_policy"),
         says("dynamic_batching") && !(only_said_ && queue == queue_text({})));
    if (batching.priority_levels == 0) return;
    out_ += "    priorities:\n";
    line("levels", std::to_string(batching.priority_levels), origin("dynamic_batching.priority_levels"), true,
         "      ");
    line("default", std::to_string(batching.default_priority_level), origin("dynamic_batching.default_priority_level"),
         true, "      ");
    if (batching.queue_by_level.empty()) return;
    out_ += "      queues:\n";
    for (const auto& [level, queue] : batching.queue_by_level)
      line(std::to_string(level), queue_text(queue), origin("dynamic_batching.priority_queue_policy"), true,
           "        ");
  }

  void write_tensors(const char* key, const std::string& field, const std::vector<ConfiguredTensor>& tensors) {
    if (tensors.empty()) return line(key, "those of the model", "the model at load", false);
    out_ += std::string("    ") + key + ":\n";
    for (size_t i = 0; i < tensors.size(); ++i) {
      const ConfiguredTensor& tensor = tensors[i];
      std::string text = "      - {name: " + in_quotes(tensor.name) +
                         ", type: " + std::string(dtype_name(tensor.dtype)) + ", dims: " + list_text(tensor.dims);
      if (tensor.reshape) text += ", reshape: " + list_text(*tensor.reshape);
      if (tensor.optional) text += ", optional: true";
      if (tensor.allow_ragged) text += ", ragged: true";
      if (!tensor.label_filename.empty()) text += ", labels: " + in_quotes(tensor.label_filename);
      out_ += text + "}" + comment(origin(field + "[" + std::to_string(i) + "]"));
    }
  }

  void write_maps() {
    if (!definition_.parameters.empty())
      line("parameters", map_text(definition_.parameters, in_quotes), origin("parameters"));
    if (!definition_.metric_tags.empty())
      line("metric_tags", map_text(definition_.metric_tags, in_quotes), origin("metric_tags"));
    if (only_said_) return;
    if (!definition_.first_response_bounds_ms.empty())
      out_ += "    # buckets of its own for the times to first responses, for which there is no key; " +
              origin("model_metrics") + "\n";
    for (const RequestLogging& log : definition_.request_logs)
      out_ += "    # of " + std::to_string(100 * log.sampling_rate) + "% of the requests a log, " +
              in_quotes(log.file_prefix) + ", for which there is no key; " + origin("request_logs") + "\n";
  }

  void write_warmup() {
    inference::ModelConfig config;
    (void)config.ParseFromString(definition_.triton_config);  // our own serialisation
    if (config.model_warmup_size() == 0) return line("warmup", "made-up requests", kDefault, false);
    out_ += "    warmup:\n";
    for (int i = 0; i < config.model_warmup_size(); ++i) {
      const auto& sample = config.model_warmup(i);
      std::string inputs;
      for (const auto& [name, input] : std::map(sample.inputs().begin(), sample.inputs().end())) {
        const std::string fill = input.input_data_type_case() == inference::ModelWarmup::Input::kInputDataFile
                                     ? "file: " + in_quotes(input.input_data_file())
                                 : input.random_data() ? "fill: random"
                                                       : "fill: zero";
        inputs += (inputs.empty() ? "" : ", ") + in_quotes(name) +
                  ": {type: " + std::string(dtype_name(static_cast<DataType>(input.data_type()))) +
                  ", dims: " + list_text(input.dims()) + ", " + fill + "}";
      }
      out_ += "      - {name: " + in_quotes(sample.name().empty() ? "sample" : sample.name()) +
              ", batch_size: " + std::to_string(std::max(sample.batch_size(), 1U)) +
              ", count: " + std::to_string(std::max(sample.count(), 1U)) + ", inputs: {" + inputs + "}}" +
              comment(origin("model_warmup[" + std::to_string(i) + "]"));
    }
  }

  const ModelDefinition& definition_;
  const std::span<const ModelLayer> layers_;
  const bool only_said_;
  std::string out_;
};

}  // namespace

std::string effective_yaml(const ModelDefinition& definition, std::span<const ModelLayer> layers,
                           const std::string& path, const std::string& backend_from) {
  return Writer(definition, layers, Extent::kWhole).write(path, backend_from);
}

std::string said_yaml(const ModelDefinition& definition, std::span<const ModelLayer> layers) {
  constexpr size_t kIndent = 4;
  const std::string entry = Writer(definition, layers, Extent::kSaid).write({}, {});
  std::string out;
  for (size_t at = 0; at < entry.size();) {
    const size_t end = entry.find('\n', at);
    out.append(entry, at + kIndent, end + 1 - at - kIndent);
    at = end + 1;
  }
  return out;
}

}  // namespace modelmill
