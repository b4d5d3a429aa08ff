#include "repository/find_models.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "model/triton_config.h"
#include "model/yaml_config.h"
#include "repository/archive_name.h"
#include "repository/declared_graphs.h"
#include "repository/folder_listing.h"
#include "repository/foreign_layouts.h"
#include "repository/found_ensemble.h"
#include "repository/model_files.h"
#include "repository/saved_model.h"
#include "repository/version_folders.h"
#include "repository/workflow_archive.h"
#include "storage/source_url.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kYamlFileLimit = 16 << 20;

fs::path real_path(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::canonical(path, error);
  return error ? path : real;
}

/// The folder that a file is in, as it was written.
fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

Result<YamlConfig> read_yaml_file(const std::string& file) {
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(file, kYamlFileLimit));
  return read_yaml_config(text, file);
}

class Finder {
 public:
  Finder(std::span<const ModelFormat> formats, const FindOptions& options) : formats_(formats), options_(options) {}

  Status look_at(const std::string& text) {
    std::error_code error;
    const fs::path path(text);
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) {
      if (const size_t equals = text.find('='); equals != std::string::npos && equals > 0)
        return look_at_named(text.substr(0, equals), text.substr(equals + 1));
      return not_found("there is no file or folder '" + text + "'; correct the path");
    }
    if (error)
      return Status(Code::kPermissionDenied,
                    "can't read '" + text + "': " + error.message() + "; let this user read it");
    if (fs::is_directory(status)) return look_at_folder(path);
    if (!fs::is_regular_file(status))
      return invalid_argument("'" + text + "' is neither a file nor a folder; name a model's");
    if (is_yaml_file(path)) return is_graph_file(text) ? ok_status() : look_at_yaml(text, folder_of(path));
    // The folder is the model; this file is a part of it.
    if (path.filename() == kSavedModelFile) return look_at_folder(folder_of(path));
    if (is_archive(path.filename().string())) return look_at_archive(path);
    if (is_workflow_archive_name(path.filename().string())) {
      ++met_;  // its models are those that it names
      return ok_status();
    }
    if (!backend_of_file(path.string(), formats_).empty()) return add(file_model(path), path);
    if (const std::string backend = needed_backend(path.string()); !backend.empty())
      return status_of(
          missing_backend(path.stem().string(), "file " + path.filename().string(), backend, text, formats_));
    return invalid_argument(no_model_text(text, formats_));
  }

  FoundModels take() {
    std::sort(out_.models.begin(), out_.models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return std::move(out_);
  }

 private:
  Status look_at_named(const std::string& name, const std::string& path) {
    auto model = look_for_one(path, {});
    if (!model.ok()) return model.status().with_context("'" + name + "=" + path + "'");
    rename(*model, name, "the command line");
    return add(*std::move(model), path);
  }

  static void rename(FoundModel& model, const std::string& name, const std::string& place) {
    model.name = name;
    model.in_repository = false;
    model.layers.push_back(text_layer("name", name, place));
  }

  /// The one model that is at a path. `described`: a folder whose modelmill.yaml has been read already.
  Result<FoundModel> look_for_one(const std::string& path, const fs::path& described) {
    constexpr int kDeepest = 4;
    if (depth_ == kDeepest)
      return invalid_argument("the paths of modelmill.yaml lead on and on, at last to '" + path +
                              "'; name the model itself in the first of them");
    Finder finder(formats_, options_);
    finder.depth_ = depth_ + 1;
    finder.described_ = described;
    finder.unpacked_ = unpacked_;
    MM_RETURN_IF_ERROR(finder.look_at(path));
    std::move(finder.out_.notes.begin(), finder.out_.notes.end(), std::back_inserter(out_.notes));
    if (finder.out_.models.size() == 1) return std::move(finder.out_.models.front());
    return invalid_argument("there are " + std::to_string(finder.out_.models.size()) + " models at '" + path +
                            "', so they can't have one name; name the folder or file of one");
  }

  Status look_at_folder(const fs::path& path) {
    MM_ASSIGN_OR_RETURN(const FolderListing folder, list_folder(path));
    if (folder.empty())
      return not_found("folder '" + path.string() +
                       "' is empty: expected a model, such as model.onnx, or a folder of models");
    if (folder.has_file(kYamlConfigFile) && !is_described(path))
      return look_at_yaml(folder.inside(kYamlConfigFile), path);
    if (auto model = look_for_model(folder)) return add(*std::move(model), path);
    if (folder.files.size() == 1 && folder.folders.empty() && is_archive(folder.files[0]))
      return look_at_archive(path / folder.files[0]);  // as KServe mounts one
    const size_t before = met_;
    std::vector<fs::path> unserved;
    for (const std::string& name : folder.files) {
      if (name.starts_with('.')) continue;
      if (is_workflow_archive_name(name)) ++met_;
      if (is_archive(name) && is_model_archive_name(name))
        MM_RETURN_IF_ERROR(look_at_archive(path / name));
      else if (!backend_of_file((path / name).string(), formats_).empty())
        MM_RETURN_IF_ERROR(add(file_model(path / name), path / name));
      else if (!needed_backend((path / name).string()).empty())
        unserved.push_back(path / name);
    }
    for (const std::string& name : folder.folders)
      if (!name.starts_with('.')) MM_RETURN_IF_ERROR(look_at_entry(path / name, name));
    // Alone they are what is meant; beside models that can be served they may be anything.
    for (const fs::path& file : unserved) {
      if (met_ == before || unserved_alone_) {
        unserved_alone_ = true;
        MM_RETURN_IF_ERROR(add(file_model(file), file));
      } else {
        const std::string backend = needed_backend(file.string());
        out_.notes.push_back("file '" + file.string() + "' is passed over: it needs backend '" + backend + "', which " +
                             (is_installed(backend, formats_) ? "does not serve such files" : "is not installed"));
      }
    }
    if (met_ > before) return ok_status();
    return not_found("no model in folder '" + path.string() + "': expected files with one of the known endings (" +
                     extensions_text(formats_) + "), or folders with a config.pbtxt or numbered versions (1/, 2/)");
  }

  bool is_archive(const std::string& filename) const { return options_.open_archive && is_archive_name(filename); }

  /// The models in an archive, as in the folder that was packed. What is wrong with it is a model's problem.
  Status look_at_archive(const fs::path& archive) {
    const LocalCopy opened = options_.open_archive(archive.string());
    Finder inside(formats_, options_);
    inside.depth_ = depth_;
    inside.unpacked_ = opened.path;
    Status status = opened.path.empty() ? opened.problem : inside.look_at_unpacked(opened.path);
    if (status.ok()) ++met_;  // also where it can't be looked at yet
    if (!status.ok()) {
      FoundModel model;
      model.name = archive_stem(archive.filename().string());
      model.refuse({status.code(), archive.string(), status.message()});
      inside.out_.models = {std::move(model)};
    }
    std::move(inside.out_.notes.begin(), inside.out_.notes.end(), std::back_inserter(out_.notes));
    for (FoundModel& model : inside.out_.models) {
      model.archives = {archive.string()};
      model.held = {opened.held};
      name_in_archive(model, opened.path, archive.string());
      if (!opened.problem.ok()) model.refuse({opened.problem.code(), archive.string(), opened.problem.message()});
      const fs::path where =
          model.directory.empty() && !model.versions.empty() ? model.versions[0].file : model.directory;
      MM_RETURN_IF_ERROR(add(std::move(model), where.empty() ? archive : where));
    }
    return ok_status();
  }

  /// The folder of an archive, or the one folder that was packed with its name.
  Status look_at_unpacked(fs::path folder) {
    MM_ASSIGN_OR_RETURN(FolderListing listing, list_folder(folder));
    while (listing.files.empty() && listing.folders.size() == 1 && !look_for_model(listing)) {
      folder /= listing.folders[0];
      MM_ASSIGN_OR_RETURN(listing, list_folder(folder));
    }
    MM_RETURN_IF_ERROR(look_at_folder(folder));
    // A file that is just called model.onnx says less than what it was packed as.
    if (out_.models.size() == 1)
      if (FoundModel& model = out_.models[0];
          model.directory.empty() && !model.versions.empty() && has_usual_name(model))
        model.name = folder.filename().string();
    return ok_status();
  }

  bool has_usual_name(const FoundModel& model) const {
    const std::string file = fs::path(model.versions.front().file).filename().string();
    return std::any_of(formats_.begin(), formats_.end(),
                       [&](const auto& format) { return format.default_file == file; });
  }

  Status look_at_entry(const fs::path& path, const std::string& name) {
    const auto folder = list_folder(path);
    if (!folder.ok()) {
      if (folder.status().code() == Code::kNotFound || is_side_folder(name)) return ok_status();
      FoundModel model;
      model.name = name;
      model.directory = path.string();
      model.refuse({folder.status().code(), {}, folder.status().message()});
      return add(std::move(model), path);
    }
    auto model = look_for_model(*folder);
    if (model && folder->has_file(kYamlConfigFile)) model = describe(*std::move(model), *folder);
    if (model) {
      model->in_repository = model->layout == ModelLayout::kFolder;
      return add(*std::move(model), path);
    }
    if (!is_side_folder(name))
      out_.notes.push_back("folder '" + path.string() +
                           "' is passed over: it has neither a config.pbtxt nor numbered versions");
    return ok_status();
  }

  /// A model in a folder of models, with what its own modelmill.yaml says.
  FoundModel describe(FoundModel model, const FolderListing& folder) {
    const std::string file = folder.inside(kYamlConfigFile);
    model.config_files.push_back(file);
    const auto config = read_yaml_file(file);
    if (!config.ok()) {
      model.refuse({config.status().code(), {}, config.status().message()});
      return model;
    }
    for (const ConfigProblem& problem : config->problems) model.refuse(problem);
    if (config->lists_models) {
      model.refuse(
          {Code::kInvalidArgument, file,
           "it lists models, which is for a path of the command line; without 'models' it describes this one"});
    } else if (!config->models.empty()) {
      const YamlModel& entry = config->models.front();
      if (!entry.path.empty())
        return target_of(entry, file, folder.path,
                         is_remote_url(entry.path) ? fs::path(entry.path) : folder.path / entry.path)
            .value_or(std::move(model));
      model.describe(entry.layer, entry.problems);
    }
    return model;
  }

  /// Config files of the model's own folder come before what other tools say; those of this server describe either.
  std::optional<FoundModel> look_for_model(const FolderListing& folder) {
    std::vector<std::string> notes;
    auto versions = look_for_versions(folder, formats_, options_.config_name, notes);
    if (!versions || versions->config_file.empty()) {
      for (const auto look :
           {look_for_mlflow, look_for_mlserver, look_for_torchserve, look_for_saved_model, look_for_hugging_face})
        if (auto model = look(folder, formats_)) return model;
    }
    std::move(notes.begin(), notes.end(), std::back_inserter(out_.notes));
    return versions;
  }

  /// A modelmill.yaml on the command line, by its own path or by that of its folder.
  Status look_at_yaml(const std::string& file, const fs::path& folder) {
    MM_ASSIGN_OR_RETURN(const YamlConfig config, read_yaml_file(file));
    if (!config.problems.empty()) return status_of(config.problems.front());
    if (config.lists_models && depth_ > 0)
      return invalid_argument("'" + file + "' lists models, and is itself named as one; name its models instead");
    if (config.models.empty()) ++met_;  // a list of none was meant so
    for (const YamlModel& entry : config.models) {
      const std::string otherwise = config.lists_models ? entry.name : ".";
      const fs::path target =
          is_remote_url(entry.path) ? fs::path(entry.path) : folder / (entry.path.empty() ? otherwise : entry.path);
      // Two entries of one name are two models, also when they mean one place.
      const std::string which =
          real_path(file).string() + entry.place.substr(std::min(file.size(), entry.place.size()));
      auto model = config.lists_models && is_ensemble(entry) ? found_ensemble(entry, file, folder.string())
                                                             : target_of(entry, file, folder, target);
      if (model) MM_RETURN_IF_ERROR(add(*std::move(model), real_path(target), which));
    }
    return ok_status();
  }

  /// The model at `target`, which an entry means, with what it says; with a problem where there is none. nullopt: it is
  /// elsewhere, and can't be looked at yet.
  std::optional<FoundModel> target_of(const YamlModel& entry, const std::string& file, const fs::path& folder,
                                      fs::path target) {
    const bool remote = is_remote_url(entry.path);
    LocalCopy copy;
    if (remote) {
      copy = open_url(entry.path, file);
      if (copy.path.empty() && copy.problem.ok() && entry.problems.empty()) return std::nullopt;
    } else {
      target = target.lexically_normal();
      if (!target.has_filename() && target.has_parent_path()) target = target.parent_path();  // of "models/."
      copy.path = target.string();
      copy.problem = check_bounds(entry, file, copy.path);
    }
    auto found = copy.problem.ok() ? look_for_one(copy.path, folder) : Result<FoundModel>(copy.problem);
    FoundModel model;
    if (found.ok()) {
      model = *std::move(found);
    } else if (copy.path.empty() && copy.problem.ok()) {
      model.name = target.stem().string();  // not looked at, and refused for what its entry says
    } else {
      model.name = target.has_stem() ? target.stem().string() : folder.filename().string();
      model.refuse({found.status().code(), entry.place, found.status().message()});
    }
    if (remote) model.held.push_back(copy.held);
    model.config_files.push_back(file);
    if (!entry.name.empty()) rename(model, entry.name, entry.place);
    model.describe(entry.layer, entry.problems);
    return model;
  }

  /// What came from elsewhere leads nowhere else.
  Status check_bounds(const YamlModel& entry, const std::string& file, const std::string& target) const {
    std::string bounds = unpacked_;
    if (bounds.empty() && options_.bounds) bounds = fs::path(options_.bounds(file)).lexically_normal().string();
    if (bounds.empty() || (target + '/').starts_with(bounds + '/')) return ok_status();
    return invalid_argument("path '" + entry.path + "' leaves the " +
                            (unpacked_.empty() ? "folder that came with the file that names it" : "archive") +
                            "; put the model inside");
  }

  LocalCopy open_url(const std::string& url, const std::string& file) const {
    if (!options_.open_url)
      return {{}, {}, unimplemented("path '" + url + "' is a URL, which isn't followed here; copy it here")};
    return options_.open_url(url, file);
  }

  bool is_described(const fs::path& folder) const {
    return !described_.empty() && real_path(folder) == real_path(described_);
  }

  FoundModel file_model(const fs::path& path) const {
    FoundModel model;
    model.name = path.stem().string();
    model.versions.push_back({1, folder_of(path).string(), path.string()});
    const std::string filename = path.filename().string();
    if (backend_of_file(path.string(), formats_).empty())
      model.refuse(
          missing_backend(model.name, "file " + filename, needed_backend(path.string()), path.string(), formats_));
    return model;
  }

  /// `where`: its file or folder. `which`: what tells it from others there.
  Status add(FoundModel model, const fs::path& where, const std::string& which = {}) {
    ++met_;
    const std::string identity = real_path(where).string() + (which.empty() ? "" : " (" + which + ")");
    const auto [at, fresh] = seen_.emplace(model.name, identity);
    if (fresh) {
      out_.models.push_back(std::move(model));
      return ok_status();
    }
    if (at->second == identity) return ok_status();  // the same model by two paths
    const auto known = std::find_if(out_.models.begin(), out_.models.end(),
                                    [&](const FoundModel& one) { return one.name == model.name; });
    if (!merge_torchserve(*known, model))
      known->refuse({Code::kAlreadyExists,
                     {},
                     "there are two models named '" + model.name + "': '" + at->second + "' and '" + identity +
                         "'; rename one of them"});
    return ok_status();
  }

  std::span<const ModelFormat> formats_;
  const FindOptions& options_;
  int depth_ = 0;  // of entries that name paths
  fs::path described_;
  std::string unpacked_;  // the folder of the archive that all of it is in; empty: in none
  FoundModels out_;
  size_t met_ = 0;  // models come by, those that were known already too
  bool unserved_alone_ = false;
  std::map<std::string, std::string> seen_;  // where and which, by name
};

}  // namespace

Result<FoundModels> find_models(const std::vector<std::string>& paths, std::span<const ModelFormat> formats,
                                const FindOptions& options) {
  if (!options.config_name.empty()) MM_RETURN_IF_ERROR(check_model_name(options.config_name));
  try {
    Finder finder(formats, options);
    for (const std::string& path : paths) MM_RETURN_IF_ERROR(finder.look_at(path));
    FoundModels found = finder.take();
    for (FoundModel& model : found.models)
      if (const Status status = check_model_name(model.name); !status.ok())
        model.refuse({status.code(), {}, status.message()});
    return found;
  } catch (const std::exception& e) {  // path conversions and memory
    return internal(std::string("looking for models failed: ") + e.what());
  }
}

}  // namespace modelmill
