#include "cli/migrate/moved_settings.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "cli/migrate/said_lines.h"
#include "model/effective_config.h"

namespace modelmill {
namespace {

constexpr std::string_view kNoEffect = " has no effect: ";

/// How a system calls what Triton calls `field` and ours `key`; "" for `key`: any.
struct TheirName {
  MigratedSystem system;
  std::string_view field;
  std::string_view key;
  std::string_view name;
};

using System = MigratedSystem;
constexpr std::array kNames = {
    TheirName{System::kTriton, "instance_group", "instances", "instance_group.count"},
    TheirName{System::kTriton, "instance_group", "device", "instance_group.kind"},
    TheirName{System::kTriton, "instance_group", "gpus", "instance_group.gpus"},
    TheirName{System::kTriton, "dynamic_batching", "batching.delay", "dynamic_batching.max_queue_delay_microseconds"},
    TheirName{System::kTriton, "dynamic_batching", "batching.preferred_sizes", "dynamic_batching.preferred_batch_size"},
    TheirName{System::kTriton, "dynamic_batching", "batching.preserve_ordering", "dynamic_batching.preserve_ordering"},
    TheirName{System::kTriton, "dynamic_batching", "queue", "dynamic_batching.default_queue_policy"},
    TheirName{System::kTriton, "dynamic_batching", "priorities.levels", "dynamic_batching.priority_levels"},
    TheirName{System::kTriton, "dynamic_batching", "priorities.default", "dynamic_batching.default_priority_level"},
    TheirName{System::kTriton, "allowed_sizes", "", "parameters.allowed_batch_sizes"},
    TheirName{System::kTensorflow, "name", "", "name"},
    TheirName{System::kTensorflow, "platform", "", "model_platform"},
    TheirName{System::kTensorflow, "version_policy", "", "model_version_policy"},
    TheirName{System::kTensorflow, "labels", "", "version_labels"},
    TheirName{System::kTensorflow, "request_logs", "", "logging_config"},
    TheirName{System::kTorchserve, "instance_range", "", "minWorkers, maxWorkers"},
    TheirName{System::kTorchserve, "instance_group", "instances", "minWorkers, maxWorkers"},
    TheirName{System::kTorchserve, "instance_group", "device", "deviceType"},
    TheirName{System::kTorchserve, "instance_group", "gpus", "deviceIds"},
    TheirName{System::kTorchserve, "max_batch_size", "", "batchSize"},
    TheirName{System::kTorchserve, "dynamic_batching", "batching.delay", "maxBatchDelay"},
    TheirName{System::kTorchserve, "dynamic_batching", "queue", "jobQueueSize"},
    TheirName{System::kTorchserve, "parameters", "", "responseTimeout, startupTimeout, serviceEnvelope"},
    TheirName{System::kTorchserve, "labels", "", "modelVersion"},
    TheirName{System::kTorchserve, "version_policy", "", "all archives of a name are versions"},
    TheirName{System::kTorchserve, "default_version", "", "defaultVersion"},
    TheirName{System::kTorchserve, "backend", "", "handler, serializedFile"},
    TheirName{System::kMlserver, "labels", "", "parameters.version"},
    TheirName{System::kMlserver, "backend", "", "implementation, parameters.uri"},
    TheirName{System::kMlserver, "default_model_filename", "", "parameters.uri"},
    TheirName{System::kMlserver, "parameters", "", "implementation, parameters, parallel_workers"},
    TheirName{System::kMlflow, "backend", "", "flavors"},
    TheirName{System::kMlflow, "default_model_filename", "", "flavors"},
    TheirName{System::kMlflow, "parameters", "", "flavors, signature"},
};

std::string their_name(System system, const std::string& field, const std::string& key) {
  for (const TheirName& known : kNames)
    if (known.system == system && known.field == field && (known.key.empty() || known.key == key))
      return std::string(known.name);
  return field;
}

/// What a key is set to when nobody sets it.
bool is_default(const SaidLine& line) { return line.key == "batching.preserve_ordering" && line.value == "false"; }

std::vector<SaidLine> lines_for(std::span<const ModelLayer> layers, const std::string& field) {
  std::vector<ModelLayer> alone;
  for (const ModelLayer& layer : layers) alone.push_back(only(layer, field));
  std::vector<SaidLine> lines = lines_of(said_yaml(lay_over(alone).definition, alone));
  std::erase_if(lines, is_default);
  return lines;
}

/// "x: 'y' has no effect: why", as its own setting.
MovedSetting gone(const ConfigProblem& note) {
  MovedSetting out{SettingFate::kGone, {}, {}, note.message, note.place};
  const size_t at = note.message.find(kNoEffect);
  if (at == std::string::npos) return out;
  out.why = note.message.substr(at + kNoEffect.size());
  const std::string head = note.message.substr(0, at);
  const size_t colon = head.find(": ");
  out.theirs = colon == std::string::npos ? head : head.substr(0, colon);
  return out;
}

class Settings {
 public:
  explicit Settings(const SettingsInput& input) : input_(input) {}

  std::vector<MovedSetting> run() {
    for (const std::string& field : said_fields(input_.layers)) add(field);
    for (const ConfigProblem& note : input_.notes) out_.push_back(gone(note));
    return std::move(out_);
  }

 private:
  void add(const std::string& field) {
    const auto put = [&](SettingFate fate, const std::string& key, std::string ours, std::string why) {
      std::string theirs = their_name(input_.system, field, key);
      // A part of the field has a place of its own.
      std::string place = origin_of(input_.layers, theirs.starts_with(field + ".") ? theirs : field);
      out_.push_back({fate, std::move(theirs), std::move(ours), std::move(why), std::move(place)});
    };
    if (field == "name") {
      // Of every model the folder says one; only another source is a setting.
      const bool said = std::count_if(input_.layers.begin(), input_.layers.end(),
                                      [](const ModelLayer& layer) { return layer.says("name"); }) > 1;
      if (said) put(SettingFate::kSame, "name", "the folder's name", {});
      return;
    }
    if (field == "request_logs")
      return put(SettingFate::kGone, {}, {},
                 "modelmill.yaml has no key for it; `modelmill --as tensorflow_model_server --model_config_file=...` "
                 "writes the log");
    if (input_.leftover.contains(field))
      return put(SettingFate::kSame, {}, "config.pbtxt: " + field, "modelmill.yaml has no key for it");
    const std::vector<SaidLine> lines = lines_for(input_.layers, field);
    for (const SaidLine& line : lines)
      // TorchServe's workers are both a number of instances and its bounds.
      if (!(line.key == "instances" && counted_)) add(line, put);
    counted_ |= std::any_of(lines.begin(), lines.end(), [](const SaidLine& line) { return line.key == "instances"; });
    if (lines.empty() && field == "dynamic_batching")
      put(SettingFate::kBetter, {}, {}, "requests share batches whenever that pays, without a word");
  }

  template <typename Put>
  void add(const SaidLine& line, const Put& put) const {
    const std::string ours = line.key + ": " + line.value;
    if (!is_tuned_key(line.key)) return put(SettingFate::kSame, line.key, ours, {});
    if (input_.tune_again) return put(SettingFate::kBetter, line.key, {}, "left out, to be found by measurement");
    put(SettingFate::kBetter, line.key, ours, "kept; with --tune-again it is found by measurement");
  }

  const SettingsInput& input_;
  bool counted_ = false;  // there is a line for `instances`
  std::vector<MovedSetting> out_;
};

}  // namespace

const char* fate_name(SettingFate fate) {
  switch (fate) {
    case SettingFate::kSame: return "same";
    case SettingFate::kBetter: return "better";
    case SettingFate::kGone: break;
  }
  return "gone";
}

std::vector<MovedSetting> moved_settings(const SettingsInput& input) { return Settings(input).run(); }

}  // namespace modelmill
