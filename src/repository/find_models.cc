#include "repository/find_models.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "model/triton_config.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.pbtxt";

/// Folders that belong to a model and are never versions or models of their own.
bool is_side_folder(const std::string& name) {
  return name == "warmup" || name == "initial_state" || name == "configs";
}

std::string extensions_text(std::span<const ModelFormat> formats) {
  std::string out;
  for (const ModelFormat& format : formats)
    for (const std::string& extension : format.extensions) out += (out.empty() ? "" : ", ") + extension;
  return out.empty() ? "none, because no backend that takes files is installed" : out;
}

bool is_model_file(const fs::path& path, std::span<const ModelFormat> formats) {
  const std::string extension = path.extension().string();
  for (const ModelFormat& format : formats)
    if (std::find(format.extensions.begin(), format.extensions.end(), extension) != format.extensions.end())
      return true;
  return false;
}

/// What a folder holds, by name, so that the result doesn't hang on the file system's order.
Result<std::vector<fs::directory_entry>> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) entries.push_back(*it);
  if (error) return Status(Code::kPermissionDenied, "can't read folder '" + folder.string() + "': " + error.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_directory(ignored);
}

bool is_file(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_regular_file(ignored);
}

/// A version's number; nullopt for any other name. Leading zeros are not a number here ("1" and "01" would be two
/// folders of one version), nor is 0, which stands for "the default version" in requests.
std::optional<int64_t> version_number(const std::string& name) {
  if (name.empty() || name[0] == '0' || name[0] == '-') return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

bool looks_numeric(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

class Finder {
 public:
  explicit Finder(std::span<const ModelFormat> formats) : formats_(formats) {}

  Status look_at(const std::string& text) {
    std::error_code error;
    const fs::path path(text);
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) return not_found("there is no file or folder '" + text + "'");
    if (error) return Status(Code::kPermissionDenied, "can't read '" + text + "': " + error.message());
    if (fs::is_directory(status)) return look_at_folder(path);
    if (!fs::is_regular_file(status)) return invalid_argument("'" + text + "' is neither a file nor a folder");
    if (!is_model_file(path, formats_))
      return invalid_argument(
          "'" + text + "' is not a model file that can be served; known endings are: " + extensions_text(formats_));
    return add_file(path);
  }

  FoundModels take() {
    std::sort(out_.models.begin(), out_.models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return std::move(out_);
  }

 private:
  Status look_at_folder(const fs::path& folder) {
    MM_ASSIGN_OR_RETURN(const auto entries, entries_of(folder));
    if (entries.empty())
      return not_found("folder '" + folder.string() +
                       "' is empty: expected a model, such as model.onnx, or a folder of models");
    if (is_model_folder(entries)) return add_folder(folder, entries, false);
    const size_t before = met_;
    for (const fs::directory_entry& entry : entries) MM_RETURN_IF_ERROR(look_at_entry(entry));
    if (met_ > before) return ok_status();
    return not_found("no model in folder '" + folder.string() + "': expected files with one of the known endings (" +
                     extensions_text(formats_) + "), or folders with a config.pbtxt or numbered versions (1/, 2/)");
  }

  Status look_at_entry(const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) return ok_status();
    if (is_file(entry)) return is_model_file(entry.path(), formats_) ? add_file(entry.path()) : ok_status();
    if (!is_folder(entry)) return ok_status();
    auto inside = entries_of(entry.path());
    if (!inside.ok()) {
      out_.notes.push_back(inside.status().message());
      return ok_status();
    }
    if (is_model_folder(*inside)) return add_folder(entry.path(), *inside, true);
    if (!is_side_folder(name))
      out_.notes.push_back("folder '" + entry.path().string() +
                           "' is passed over: it has neither a config.pbtxt nor numbered versions");
    return ok_status();
  }

  static bool is_model_folder(const std::vector<fs::directory_entry>& entries) {
    return std::any_of(entries.begin(), entries.end(), [](const fs::directory_entry& entry) {
      const std::string name = entry.path().filename().string();
      return (name == kConfigFile && is_file(entry)) || (version_number(name) && is_folder(entry));
    });
  }

  Status add_file(const fs::path& path) {
    FoundModel model;
    model.name = path.stem().string();
    const fs::path parent = path.parent_path();
    model.versions.push_back({1, parent.empty() ? "." : parent.string(), path.string()});
    return add(std::move(model), path);
  }

  Status add_folder(const fs::path& folder, const std::vector<fs::directory_entry>& entries, bool in_repository) {
    FoundModel model;
    model.name = folder_name(folder);
    model.directory = folder.string();
    model.in_repository = in_repository;
    std::vector<std::string> loose;
    for (const fs::directory_entry& entry : entries) {
      const std::string name = entry.path().filename().string();
      if (is_file(entry) && name == kConfigFile) model.config_file = entry.path().string();
      if (is_file(entry) && is_model_file(entry.path(), formats_)) loose.push_back(entry.path().string());
      if (!is_folder(entry)) continue;
      if (const auto number = version_number(name))
        model.versions.push_back({*number, entry.path().string(), {}});
      else if (looks_numeric(name))
        out_.notes.push_back("version folder '" + entry.path().string() +
                             "' is passed over: versions are written without leading zeros, from 1 on, within 63 bits");
    }
    std::sort(model.versions.begin(), model.versions.end(),
              [](const auto& a, const auto& b) { return a.version < b.version; });
    // A configuration beside the model file itself, without a version folder: version 1.
    if (model.versions.empty() && !loose.empty()) model.versions.push_back({1, folder.string(), {}});
    return add(std::move(model), folder);
  }

  /// "." and "models/" have no last part of their own.
  static std::string folder_name(const fs::path& folder) {
    std::error_code error;
    const fs::path real = fs::canonical(folder, error);
    const fs::path written = folder.has_filename() ? folder.filename() : folder.parent_path().filename();
    if (written.empty() || written == "." || written == "..")
      return error ? written.string() : real.filename().string();
    return written.string();
  }

  Status add(FoundModel model, const fs::path& path) {
    ++met_;
    std::error_code error;
    fs::path real = fs::canonical(path, error);
    if (error) real = path;
    const auto [at, fresh] = seen_.emplace(model.name, real);
    if (!fresh && at->second == real) return ok_status();  // the same model by two paths
    if (!fresh)
      return already_exists("there are two models named '" + model.name + "': '" + at->second.string() + "' and '" +
                            real.string() + "'; rename one of them");
    model.problem = check_model_name(model.name);
    out_.models.push_back(std::move(model));
    return ok_status();
  }

  std::span<const ModelFormat> formats_;
  FoundModels out_;
  size_t met_ = 0;  // models come by, those that were known already too
  std::map<std::string, fs::path> seen_;
};

}  // namespace

Result<FoundModels> find_models(const std::vector<std::string>& paths, std::span<const ModelFormat> formats) {
  try {
    Finder finder(formats);
    for (const std::string& path : paths) MM_RETURN_IF_ERROR(finder.look_at(path));
    return finder.take();
  } catch (const std::exception& e) {  // path conversions and memory
    return internal(std::string("looking for models failed: ") + e.what());
  }
}

}  // namespace modelmill
