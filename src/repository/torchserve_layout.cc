#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>

#include "repository/foreign_layouts.h"
#include "repository/json_file.h"
#include "repository/model_files.h"
#include "repository/torchserve_config.h"
#include "repository/version_text.h"

namespace modelmill {
namespace {

constexpr const char* kFolder = "MAR-INF";
constexpr const char* kFile = "MANIFEST.json";
/// What runs handlers, also the ones that TorchServe brings.
constexpr const char* kHandlerBackend = "python";

/// TorchServe's own handlers around a model that has nothing to do before and after it.
bool is_plain_handler(const std::string& handler) { return handler.empty() || handler == "base_handler"; }

void read_version(FoundModel& model, const std::string& text, const std::string& file) {
  const auto number = number_of_version_text(text);
  if (!number)
    return model.refuse({Code::kInvalidArgument, file,
                         "modelVersion '" + text +
                             "' can't be served: give it as a number, such as 2, or as 1.2.3 with "
                             "parts below 1000"});
  model.versions.front().version = *number;
  ModelLayer layer;
  layer.labels = VersionLabels{{text, *number}};
  layer.config.mutable_version_policy()->mutable_all();
  layer.fields.insert("version_policy");
  layer.place_of = [file](const std::string&) { return file; };
  model.layers.push_back(std::move(layer));
}

void read_config(FoundModel& model, const JsonFile& manifest, const std::string& folder, const std::string& file) {
  const std::string name = manifest.text("/model/configFile").value_or("");
  if (name.empty()) return;
  const auto path = path_inside(folder, name);
  if (!path.ok()) return model.refuse({path.status().code(), file, "configFile: " + path.status().message()});
  std::vector<ConfigProblem> problems;
  model.layers.push_back(read_torchserve_config(*path, problems));
  model.config_files.push_back(*path);
  for (const ConfigProblem& problem : problems) model.refuse(problem);
}

void read_manifest(FoundModel& model, const FolderListing& folder, std::span<const ModelFormat> formats,
                   const std::string& file) {
  const auto manifest = JsonFile::read(file);
  if (!manifest.ok()) return model.refuse({manifest.status().code(), {}, manifest.status().message()});
  if (const auto name = manifest->text("/model/modelName"); name && !name->empty()) model.name = *name;
  read_version(model, manifest->text("/model/modelVersion").value_or("1.0"), file);
  read_config(model, *manifest, folder.path.string(), file);
  const std::string handler = manifest->text("/model/handler").value_or("");
  const std::string serialized = manifest->text("/model/serializedFile").value_or("");
  if (!serialized.empty())
    if (const auto path = path_inside(folder.path.string(), serialized); !path.ok())
      return model.refuse({path.status().code(), file, "serializedFile: " + path.status().message()});
  std::string backend;
  // A class of torch's in a file beside is Python code, whatever handler is around it.
  if (is_plain_handler(handler) && manifest->text("/model/modelFile").value_or("").empty())
    backend = backend_of_file(serialized, formats);
  model.versions.front().file = file;
  if (!backend.empty()) {
    model.versions.front().file = (folder.path / serialized).string();
  } else if (is_installed(kHandlerBackend, formats)) {
    backend = kHandlerBackend;
  } else {
    const std::string what = "TorchServe handler " + (handler.empty() ? "base_handler" : handler);
    return model.refuse(missing_backend(model.name, what, kHandlerBackend, file));
  }
  model.layers.push_back(text_layer("backend", backend, file));
}

}  // namespace

std::optional<FoundModel> look_for_torchserve(const FolderListing& folder, std::span<const ModelFormat> formats) {
  if (!folder.has_folder(kFolder)) return std::nullopt;
  const std::string file = (folder.path / kFolder / kFile).string();
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return std::nullopt;
  FoundModel model;
  model.name = folder.name();
  model.directory = folder.path.string();
  model.layout = ModelLayout::kTorchserve;
  model.versions.push_back({1, model.directory, {}});
  model.config_files.push_back(file);
  read_manifest(model, folder, formats, file);
  return model;
}

bool merge_torchserve(FoundModel& into, const FoundModel& model) {
  if (into.layout != ModelLayout::kTorchserve || model.layout != ModelLayout::kTorchserve) return false;
  if (!into.problem.ok() || !model.problem.ok() ||
      into.layers.back().config.backend() != model.layers.back().config.backend())
    return false;
  const FoundVersion& version = model.versions.front();
  for (const FoundVersion& known : into.versions)
    if (known.version == version.version) return false;
  // What its archives say of workers and batches is the newest one's.
  VersionLabels labels = *into.layers.front().labels;
  labels.merge(VersionLabels(*model.layers.front().labels));
  if (version.version > into.versions.back().version) into.layers = model.layers;
  into.layers.front().labels = std::move(labels);
  into.versions.push_back(version);
  std::sort(into.versions.begin(), into.versions.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  into.config_files.insert(into.config_files.end(), model.config_files.begin(), model.config_files.end());
  into.archives.insert(into.archives.end(), model.archives.begin(), model.archives.end());
  into.held.insert(into.held.end(), model.held.begin(), model.held.end());
  return true;
}

}  // namespace modelmill
