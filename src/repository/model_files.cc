#include "repository/model_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "model/triton_config.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kConfigLimit = 16 << 20;
constexpr uint64_t kLabelsLimit = 256 << 20;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Names inside a folder, sorted; empty when it can't be read.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string list_text(const std::vector<std::string>& names) {
  constexpr size_t kShown = 10;
  std::string out;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) out += (i == 0 ? "'" : ", '") + names[i] + "'";
  return names.size() > kShown ? out + ", ..." : out;
}

Status unserved(const std::string& what, const std::string& file, const std::string& backend,
                std::span<const ModelFormat> formats) {
  return failed_precondition(what + "its file '" + file + "' needs " + unserved_text(backend, formats));
}

}  // namespace

Result<std::string> read_file(const std::string& path, uint64_t limit) {
  std::error_code error;
  const uintmax_t size = fs::file_size(path, error);
  const auto unreadable = [&path](const std::string& why) {
    return not_found("can't read '" + path + "': " + why + "; the file must be there, and this user able to read it");
  };
  if (error) return unreadable(error.message());
  if (size > limit)
    return invalid_argument("file '" + path + "' has " + std::to_string(size) + " bytes, at most " +
                            std::to_string(limit) + " are read; make it smaller");
  std::ifstream in(path, std::ios::binary);
  std::string text(size, '\0');
  if (!in || (size > 0 && !in.read(text.data(), static_cast<std::streamsize>(size))))
    return unreadable(std::strerror(errno));
  return text;
}

Result<std::string> path_inside(const std::string& folder, const std::string& name) {
  const fs::path path(name);
  if (name.empty() || path.is_absolute())
    return invalid_argument("file name '" + name + "' must be relative to folder '" + folder + "'");
  for (const fs::path& part : path)
    if (part == "..") return invalid_argument("file name '" + name + "' must not leave folder '" + folder + "'");
  return (fs::path(folder) / path).string();
}

ModelConfiguration read_configuration(const FoundModel& model) {
  ModelConfiguration out;
  std::optional<ModelLayer> in_part;  // a config.pbtxt without the fields that aren't known
  const std::string where =
      model.directory.empty() && !model.versions.empty() ? model.versions[0].file : model.directory;
  out.layers.push_back(text_layer("name", model.name, where));
  if (!model.config_file.empty()) {
    auto text = read_file(model.config_file, kConfigLimit);
    if (!text.ok()) {
      out.problems.push_back({text.status().code(), {}, text.status().message()});
      return out;
    }
    if (auto layer = triton_layer(*text, model.config_file, out.problems))
      out.layers.push_back(*std::move(layer));
    else
      in_part = known_triton_fields(*text, model.config_file);
  }
  out.layers.insert(out.layers.end(), model.layers.begin(), model.layers.end());
  LayeredDefinition laid = lay_over(out.layers);
  std::move(laid.problems.begin(), laid.problems.end(), std::back_inserter(out.problems));
  out.notes = std::move(laid.notes);
  out.definition = std::move(laid.definition);
  if (in_part || !model.doubtful_layers.empty()) {
    std::vector<ModelLayer> all = out.layers;
    if (in_part) all.insert(all.begin() + 1, *std::move(in_part));  // above the name of its folder
    all.insert(all.end(), model.doubtful_layers.begin(), model.doubtful_layers.end());
    out.definition = lay_over(all).definition;
  }
  if (!out.problems.empty()) return out;
  const std::string& name = out.definition.name;
  if (model.in_repository && name != model.name)
    out.problems.push_back({Code::kInvalidArgument, origin_of(out.layers, "name"),
                            "unexpected directory name '" + model.name + "' for model '" + name +
                                "', directory name must equal model name"});
  if (const Status status = check_model_name(name); !status.ok())
    out.problems.push_back({status.code(), origin_of(out.layers, "name"), status.message()});
  return out;
}

Result<ModelDefinition> read_definition(const FoundModel& model) {
  ModelConfiguration configuration = read_configuration(model);
  if (!configuration.problems.empty()) return status_of(configuration.problems.front());
  return std::move(configuration.definition);
}

VersionChoice choose_versions(const VersionPolicy& policy, std::span<const FoundVersion> found) {
  VersionChoice out;
  switch (policy.kind) {
    case VersionPolicy::Kind::kAll: out.versions.assign(found.begin(), found.end()); break;
    case VersionPolicy::Kind::kLatest: {
      const size_t count = std::min(found.size(), static_cast<size_t>(std::max<int64_t>(policy.latest, 0)));
      out.versions.assign(found.end() - static_cast<std::ptrdiff_t>(count), found.end());
      break;
    }
    case VersionPolicy::Kind::kSpecific:
      for (const FoundVersion& version : found)
        if (std::find(policy.specific.begin(), policy.specific.end(), version.version) != policy.specific.end())
          out.versions.push_back(version);
      for (const int64_t wanted : policy.specific)
        if (std::none_of(found.begin(), found.end(), [&](const FoundVersion& v) { return v.version == wanted; }))
          out.missing.push_back(wanted);
      break;
  }
  return out;
}

Result<std::string> infer_backend(const ModelDefinition& definition, const FoundVersion& version,
                                  std::span<const ModelFormat> formats) {
  if (!definition.backend.empty()) return definition.backend;
  const std::string what = "model '" + definition.name + "': ";
  const auto inside = [&](const std::string& name) { return (fs::path(version.directory) / name).string(); };
  if (!definition.platform.empty())
    return invalid_argument(what + "unknown platform '" + definition.platform +
                            "'; name the backend instead, as in backend: \"onnxruntime\"");
  const std::string named =
      version.file.empty() ? definition.default_model_filename : fs::path(version.file).filename().string();
  if (!named.empty()) {
    const std::string path = version.file.empty() ? inside(named) : version.file;
    if (std::string backend = backend_of_file(path, formats); !backend.empty()) return backend;
    if (std::string backend = needed_backend(path); !backend.empty()) return unserved(what, named, backend, formats);
    return invalid_argument(what + "no backend is known for the file '" + named + "'; name one with backend: \"...\"");
  }
  const std::vector<std::string> names = names_in(version.directory);
  std::vector<std::string> usual, known;
  for (const ModelFormat& format : formats)
    if (!format.default_file.empty() && std::find(names.begin(), names.end(), format.default_file) != names.end())
      usual.push_back(format.backend);
  if (usual.size() == 1) return usual.front();
  for (const std::string& name : names)
    if (!backend_of_file(inside(name), formats).empty()) known.push_back(name);
  if (known.size() == 1) return backend_of_file(inside(known.front()), formats);
  if (!known.empty())
    return invalid_argument(what + "version folder '" + version.directory + "' has several model files (" +
                            list_text(known) + "); name one with default_model_filename");
  for (const std::string& name : names)
    if (std::string backend = needed_backend(inside(name)); !backend.empty())
      return unserved(what, name, backend, formats);
  std::string looked_for;
  for (const ModelFormat& format : formats)
    if (!format.default_file.empty()) looked_for += (looked_for.empty() ? "" : ", ") + format.default_file;
  return not_found(what + "no model file in '" + version.directory + "': looked for " +
                   (looked_for.empty() ? "nothing, since no backend is installed" : looked_for) +
                   (names.empty() ? "; the folder is empty" : "; found " + list_text(names)) +
                   "; put the model there, or name its backend");
}

Result<std::string> find_model_file(const ModelDefinition& definition, const FoundVersion& version,
                                    const ModelFormat& format) {
  const std::string what = "model '" + definition.name + "': ";
  if (!version.file.empty()) return version.file;
  if (!definition.default_model_filename.empty()) {
    auto path = path_inside(version.directory, definition.default_model_filename);
    if (!path.ok()) return path.status().with_context("model '" + definition.name + "': default_model_filename");
    if (!exists(*path))
      return not_found(what + "file '" + *path +
                       "' of default_model_filename does not exist; put it there, or correct the name");
    return *path;
  }
  if (format.default_file.empty() && format.extensions.empty()) return std::string();
  if (!format.default_file.empty()) {
    const std::string usual = (fs::path(version.directory) / format.default_file).string();
    if (exists(usual)) return usual;
  }
  std::vector<std::string> names = names_in(version.directory);
  std::erase_if(names, [&](const std::string& name) {
    return !is_model_of(format, (fs::path(version.directory) / name).string());
  });
  if (names.size() == 1) return (fs::path(version.directory) / names.front()).string();
  if (format.default_file.empty() && names.empty()) return std::string();
  if (names.empty())
    return not_found(what + "no file '" + format.default_file + "' in '" + version.directory + "', which backend '" +
                     format.backend + "' needs; put it there, or name another with default_model_filename");
  return invalid_argument(what + "version folder '" + version.directory + "' has several model files (" +
                          list_text(names) + "); name one with default_model_filename");
}

Result<std::map<std::string, std::vector<std::string>>> read_labels(const ModelDefinition& definition,
                                                                    const std::string& model_directory) {
  std::map<std::string, std::vector<std::string>> out;
  for (const ConfiguredTensor& output : definition.outputs) {
    if (output.label_filename.empty()) continue;
    const std::string what = "model '" + definition.name + "', labels of output '" + output.name + "'";
    auto path = path_inside(model_directory, output.label_filename);
    if (!path.ok()) return path.status().with_context(what);
    auto text = read_file(*path, kLabelsLimit);
    if (!text.ok()) return text.status().with_context(what);
    std::istringstream lines(*std::move(text));
    std::vector<std::string>& labels = out[output.name];
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      labels.push_back(std::move(line));
    }
  }
  return out;
}

}  // namespace modelmill
