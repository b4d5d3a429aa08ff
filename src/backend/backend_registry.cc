#include "backend/backend_registry.h"

#include <algorithm>
#include <filesystem>

#include "backend/host_table.h"
#include "backend/loaded_model.h"
#include "backend/plugin.h"
#include "base/log.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "modelmill_";
constexpr std::string_view kSuffix = ".so";

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
  }
  return out;
}

/// The name becomes part of a path, so it holds nothing that has a meaning there.
bool valid_backend_name(std::string_view name) {
  return !name.empty() && name[0] != '.' && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

/// The backend's name in the name of a plugin's file; empty for other files.
std::string backend_of_file(const fs::path& path) {
  const std::string file = path.filename().string();
  if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix) || file.size() <= kPrefix.size() + kSuffix.size())
    return {};
  return file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size());
}

/// The plugin's file in `directory`, or an empty path.
fs::path plugin_in(const std::string& directory, const std::string& backend) {
  const std::string file = std::string(kPrefix) + backend + std::string(kSuffix);
  for (const fs::path& path : {fs::path(directory) / file, fs::path(directory) / backend / file}) {
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) return fs::absolute(path, ignored).lexically_normal();
  }
  return {};
}

}  // namespace

struct BackendRegistry::Rep {
  Options options;
  BackendMetricNames metric_names;
  Mutex mutex;
  /// By path. Never shrinks: libraries are not closed.
  std::map<std::string, std::shared_ptr<Plugin>> plugins MM_GUARDED_BY(mutex);

  std::string settings(const std::string& backend) const {
    const auto it = options.settings.find(backend);
    return it != options.settings.end() ? it->second : "{}";
  }

  Result<std::shared_ptr<Plugin>> open(const fs::path& path, const std::string& backend) {
    MutexLock lock(mutex);
    if (const auto it = plugins.find(path.string()); it != plugins.end()) return it->second;
    MM_ASSIGN_OR_RETURN(std::shared_ptr<Plugin> plugin, Plugin::open(path.string(), backend));
    plugins.emplace(path.string(), plugin);
    return plugin;
  }

  Result<std::shared_ptr<Plugin>> find(const std::string& backend, const std::string& extra_directory) {
    if (!valid_backend_name(backend))
      return invalid_argument("'" + backend +
                              "' can't be the name of a backend: letters, digits, '_', '-' and '.' only");
    std::string searched;
    const auto look = [&](const std::string& directory) {
      searched += (searched.empty() ? "" : ", ") + directory;
      return plugin_in(directory, backend);
    };
    if (!extra_directory.empty())
      if (const fs::path path = look(extra_directory); !path.empty()) return open(path, backend);
    for (const std::string& directory : options.directories)
      if (const fs::path path = look(directory); !path.empty()) return open(path, backend);
    return not_found("backend '" + backend + "' is not installed: " + std::string(kPrefix) + backend +
                     std::string(kSuffix) + " was not found in " +
                     (searched.empty() ? "any folder (none is configured)" : searched));
  }

  /// Name and file of every plugin in the folders; where a name comes twice the first folder wins.
  std::vector<std::pair<std::string, fs::path>> files() const {
    std::vector<std::pair<std::string, fs::path>> out;
    for (const std::string& directory : options.directories) {
      std::vector<std::string> names;
      std::error_code error;
      for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        if (it->is_directory(ignored)) {
          if (!plugin_in(directory, it->path().filename().string()).empty())
            names.push_back(it->path().filename().string());
        } else if (std::string name = backend_of_file(it->path()); !name.empty()) {
          names.push_back(std::move(name));
        }
      }
      std::sort(names.begin(), names.end());
      for (const std::string& name : names) {
        const bool known = std::any_of(out.begin(), out.end(), [&](const auto& item) { return item.first == name; });
        const fs::path path = plugin_in(directory, name);
        if (!known && !path.empty()) out.emplace_back(name, path);
      }
    }
    return out;
  }
};

namespace {

BackendRegistry::Description describe(const Plugin& plugin) {
  using Description = BackendRegistry::Description;
  const mm_backend& table = plugin.table();
  Description out;
  out.name = plugin.name();
  out.default_file = text_or_empty(table.default_file);
  out.extensions = split_list(text_or_empty(table.file_extensions));
  return out;
}

mm_runtime_info runtime_of(const Plugin& plugin) {
  mm_runtime_info info{};
  info.struct_size = sizeof info;
  info.available = 1;
  info.gpu_count = -1;
  const Status status = plugin.call([&]() -> mm_error* {
    plugin.table().runtime_info(plugin.state(), &info);
    return nullptr;
  });
  if (!status.ok()) info.available = 0;
  return info;
}

}  // namespace

BackendRegistry::BackendRegistry(Options options) : rep_(std::make_unique<Rep>()) {
  rep_->options = std::move(options);
}
BackendRegistry::~BackendRegistry() = default;

std::vector<BackendRegistry::Description> BackendRegistry::available() {
  std::vector<Description> out;
  for (const auto& [name, path] : rep_->files()) {
    auto plugin = rep_->open(path, name);
    if (plugin.ok())
      out.push_back(describe(**plugin));
    else
      Log::warning("backend left out", {{"backend", name}, {"error", plugin.status().message()}});
  }
  return out;
}

Result<BackendRegistry::Description> BackendRegistry::find(const std::string& backend,
                                                           const std::string& extra_directory) {
  MM_ASSIGN_OR_RETURN(std::shared_ptr<Plugin> plugin, rep_->find(backend, extra_directory));
  Description description = describe(*plugin);
  (void)plugin->initialize(rep_->settings(backend));  // load() tells what is wrong with it
  const mm_runtime_info info = runtime_of(*plugin);
  description.runtime = text_or_empty(info.runtime) + ' ' + text_or_empty(info.version);
  description.usable = info.available != 0;
  if (!description.usable) {
    description.problem = text_or_empty(info.problem);
    description.remedy = text_or_empty(info.remedy);
  }
  description.gpu_count = info.gpu_count;
  description.precisions = split_list(text_or_empty(info.precisions));
  return description;
}

std::vector<BackendReport> BackendRegistry::report() {
  std::vector<BackendReport> out;
  for (const auto& [name, path] : rep_->files()) {
    BackendReport report;
    report.name = name;
    report.library = path.string();
    auto plugin = rep_->open(path, name);
    if (!plugin.ok()) {
      report.problem = plugin.status().message();
      report.remedy = "build the backend again with this server's headers, or remove the file";
      out.push_back(std::move(report));
      continue;
    }
    const Status initialized = (*plugin)->initialize(rep_->settings(name));
    const mm_runtime_info info = runtime_of(**plugin);
    report.version = text_or_empty((*plugin)->table().version);
    report.available = info.available != 0 && initialized.ok();
    report.runtime = text_or_empty(info.runtime);
    report.runtime_version = text_or_empty(info.version);
    report.runtime_path = text_or_empty(info.path);
    report.devices = text_or_empty(info.devices);
    report.problem = initialized.ok() ? text_or_empty(info.problem) : initialized.message();
    report.remedy = text_or_empty(info.remedy);
    out.push_back(std::move(report));
  }
  return out;
}

std::optional<BackendRegistry::DeviceMemory> BackendRegistry::device_memory(const std::string& backend, int device,
                                                                            const std::string& extra_directory) {
  const auto found = rep_->find(backend, extra_directory);
  if (!found.ok()) return std::nullopt;
  const Plugin& plugin = **found;
  const mm_backend& table = plugin.table();
  if (plugin.state() == nullptr || !MM_HAS(&table, device_memory) || table.device_memory == nullptr)
    return std::nullopt;
  mm_device_memory memory{};
  memory.struct_size = sizeof memory;
  memory.kind = MM_DEVICE_GPU;
  memory.device_id = device;
  const Status status = plugin.call([&] { return table.device_memory(plugin.state(), &memory); });
  if (!status.ok() || memory.total_bytes == 0) return std::nullopt;
  return DeviceMemory{memory.total_bytes, std::min(memory.free_bytes, memory.total_bytes), text_or_empty(memory.uuid)};
}

Result<std::unique_ptr<BackendModel>> BackendRegistry::load(const std::string& backend, const BackendLoad& load,
                                                            const std::string& extra_directory) {
  MM_ASSIGN_OR_RETURN(std::shared_ptr<Plugin> plugin, rep_->find(backend, extra_directory));
  MM_RETURN_IF_ERROR(plugin->initialize(rep_->settings(backend)));
  const BackendServices services{rep_->options.metrics, &rep_->metric_names, rep_->options.server};
  auto model = LoadedModel::load(plugin, load, services);
  if (model.ok()) return model;
  const mm_runtime_info info = runtime_of(*plugin);
  if (info.available != 0) return model;
  std::string message = "backend '" + backend + "' can't run: " + text_or_empty(info.problem);
  if (const std::string remedy = text_or_empty(info.remedy); !remedy.empty()) message += "; to set it up: " + remedy;
  return failed_precondition(std::move(message));
}

}  // namespace modelmill
