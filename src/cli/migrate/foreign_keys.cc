#include "cli/migrate/foreign_keys.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <string_view>

#include "cli/personality/torchserve_keys.h"
#include "model/yaml_check.h"
#include "repository/java_properties.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr uint64_t kLimit = 16 << 20;
using enum SettingFate;

struct ForeignKey {
  std::string_view name;  // with what it is in: "parameters.uri"
  /// Read for the model's configuration, which tells of it.
  bool read = false;
  SettingFate fate = kGone;
  std::string_view what = {};  // ours, of kSame; else why
};

constexpr std::array kMlserverKeys = {
    ForeignKey{"name", false, kSame, "the folder's name"},
    ForeignKey{"implementation", true},
    ForeignKey{"platform", false, kGone, "the model's file tells its framework"},
    ForeignKey{"versions", false, kGone, "the versions are those that lie there"},
    ForeignKey{"inputs", false, kBetter, "names, types and shapes are the model's own"},
    ForeignKey{"outputs", false, kBetter, "names, types and shapes are the model's own"},
    ForeignKey{"parallel_workers", false, kBetter, "how many instances pay is found out by measurement"},
    ForeignKey{"warm_workers", false, kBetter, "models are warmed up before they are served"},
    ForeignKey{"max_batch_size", false, kBetter,
               "requests share batches whenever that pays; batching.max_size sets a bound"},
    ForeignKey{"max_batch_time", false, kBetter,
               "a free instance takes what waits at once; batching.delay makes it wait"},
    ForeignKey{"cache_enabled", true},
    ForeignKey{"parameters.uri", true},
    ForeignKey{"parameters.version", true},
    ForeignKey{"parameters.extra", true},
    ForeignKey{"parameters.content_type", false, kGone, "requests say how their tensors are encoded"},
    ForeignKey{"parameters.format", false, kGone, "the model's file tells its format"},
    ForeignKey{"parameters.environment_tarball", false, kGone, "models of Python run by the one that --python names"},
    ForeignKey{"parameters.environment_path", false, kGone, "models of Python run by the one that --python names"},
    ForeignKey{"parameters.inference_pool_gid", false, kGone, "each model has workers of its own"},
};

constexpr std::array kManifestKeys = {
    ForeignKey{"model.modelName", false, kSame, "the folder's name"},
    ForeignKey{"model.modelVersion", true},
    ForeignKey{"model.handler", true},
    ForeignKey{"model.serializedFile", true},
    ForeignKey{"model.configFile", true},
    ForeignKey{"model.modelFile", false, kSame, "the archive, which is served as it is"},
    ForeignKey{"model.extraFiles", false, kSame, "the archive, which is served as it is"},
    ForeignKey{"model.requirementsFile", false, kSame, "the archive, which is served as it is"},
    ForeignKey{"model.envelope", false, kSame, "the archive, which is served as it is"},
    ForeignKey{"runtime", false, kGone, "models of Python run by the one that --python names"},
    ForeignKey{"createdOn", false, kGone, "it says when the archive was made"},
    ForeignKey{"archiverVersion", false, kGone, "it says what made the archive"},
};

constexpr std::array kMlflowKeys = {
    ForeignKey{"flavors", true},
    ForeignKey{"signature", false, kSame, "inputs and outputs, which are the model's own"},
};
constexpr std::string_view kMlflowOther = "it says where the model comes from";

/// Those that the server reads of a model's own YAML; all others are its handler's.
constexpr std::array<std::string_view, 10> kTorchserveKeys = {
    "minWorkers",      "maxWorkers",     "batchSize",  "maxBatchDelay", "jobQueueSize",
    "responseTimeout", "startupTimeout", "deviceType", "deviceIds",     "serviceEnvelope"};

/// Those of a config.properties that say which models there are, and how they run.
constexpr std::array<std::string_view, 8> kOfModels = {"models",
                                                       "load_models",
                                                       "model_store",
                                                       "model_snapshot",
                                                       "service_envelope",
                                                       "decode_input_request",
                                                       "default_response_timeout",
                                                       "default_startup_timeout"};

void add_keys(const YAML::Node& map, const std::string& above, std::span<const ForeignKey> known,
              std::string_view otherwise, const std::string& place, std::vector<MovedSetting>& out) {
  for (const auto& entry : map) {
    const std::string name = above + entry.first.Scalar();
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const ForeignKey& key) { return key.name == name; });
    const bool group = std::any_of(known.begin(), known.end(),
                                   [&](const ForeignKey& key) { return key.name.starts_with(name + "."); });
    if (found == known.end() && group && entry.second.IsMap()) {
      add_keys(entry.second, name + ".", known, otherwise, place, out);
    } else if (found == known.end()) {
      out.push_back({kGone, name, {}, std::string(otherwise), place});
    } else if (!found->read) {
      const std::string what(found->what);
      out.push_back({found->fate, name, found->fate == kSame ? what : "", found->fate == kSame ? "" : what, place});
    }
  }
}

/// Of settings that a class derived from MLServer's MLModel is made with.
void add_class_keys(const YAML::Node& map, const std::string& place, std::vector<MovedSetting>& out) {
  for (const auto& entry : map)
    if (const std::string name = entry.first.Scalar(); name != "implementation")
      out.push_back({kSame, name, "the folder, which is served as it is", {}, place});
}

void add_handler_keys(const YAML::Node& map, const std::string& place, std::vector<MovedSetting>& out) {
  for (const auto& entry : map) {
    const std::string name = entry.first.Scalar();
    if (std::find(kTorchserveKeys.begin(), kTorchserveKeys.end(), name) == kTorchserveKeys.end())
      out.push_back({kSame, name, "the archive, whose handler reads it", {}, place});
  }
}

}  // namespace

std::vector<MovedSetting> foreign_keys(const std::string& file, const std::string& named, bool is_model) {
  std::vector<MovedSetting> out;
  const std::string name = std::filesystem::path(file).filename().string();
  const bool own_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
  if (name != "model-settings.json" && name != "MANIFEST.json" && name != "MLmodel" && !own_yaml) return out;
  const auto text = read_file(file, kLimit);
  std::vector<ConfigProblem> problems;
  YAML::Node root;
  if (!text.ok() || !read_yaml(*text, file, root, problems) || !root.IsMap()) return out;
  constexpr std::string_view kUnknown = "modelmill knows no such key";
  try {
    if (name == "model-settings.json" && is_model)
      add_class_keys(root, named, out);
    else if (name == "model-settings.json")
      add_keys(root, "", kMlserverKeys, kUnknown, named, out);
    else if (name == "MANIFEST.json")
      add_keys(root, "", kManifestKeys, kUnknown, named, out);
    else if (name == "MLmodel")
      add_keys(root, "", kMlflowKeys, kMlflowOther, named, out);
    else
      add_handler_keys(root, named, out);
  } catch (const YAML::Exception&) {
    out.clear();  // whoever reads the model tells what is wrong with it
  }
  return out;
}

std::vector<MovedSetting> server_keys(const std::string& properties_file) {
  std::vector<MovedSetting> out;
  const auto text = read_file(properties_file, kLimit);
  const auto properties = text.ok() ? parse_properties(*text) : Result<Properties>(text.status());
  if (!properties.ok()) return out;
  using Meaning = TorchServeKey::Meaning;
  for (const auto& [key, unused] : *properties) {
    const TorchServeKey* known = find_torchserve_key(key);
    const bool gone = known == nullptr || known->meaning == Meaning::kIgnored;
    const std::string what(known == nullptr ? "TorchServe has no such key" : known->what);
    const bool of_models = std::find(kOfModels.begin(), kOfModels.end(), key) != kOfModels.end();
    const std::string ours = of_models ? "the models' folders" : what;
    out.push_back({gone ? kGone : kSame, key, gone ? "" : ours, gone ? what : "", properties_file});
  }
  return out;
}

}  // namespace modelmill
