#include "repository/torchserve_properties.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr std::array<std::string_view, 11> kStartupKeys = {"allowed_urls",
                                                           "decode_input_request",
                                                           "default_response_timeout",
                                                           "default_startup_timeout",
                                                           "enable_envvars_config",
                                                           "load_models",
                                                           "model_snapshot",
                                                           "model_store",
                                                           "models",
                                                           "service_envelope",
                                                           "workflow_store"};

/// "$$NAME$$" anywhere in a value.
Result<std::string> with_variables(std::string_view key, const std::string& value, const Variables& variables) {
  std::string out;
  size_t at = 0;
  while (true) {
    const size_t begin = value.find("$$", at);
    const size_t end = begin == std::string::npos ? begin : value.find('$', begin + 2);
    if (end == std::string::npos || !std::string_view(value).substr(end).starts_with("$$") || end < begin + 4)
      return out + value.substr(at);
    const std::string name = value.substr(begin + 2, end - begin - 2);
    const auto found = variables(name);
    if (!found)
      return invalid_argument("'" + std::string(key) + "' names the variable '" + name + "', which is not set");
    out += value.substr(at, begin - at) + *found;
    at = end + 2;
  }
}

/// The variable that stands for a key; empty: none does.
std::string variable_of(std::string_view key) {
  constexpr std::string_view kOfFile[] = {
      "enable_envvars_config", "io_ratio",     "metric_time_interval", "model_snapshot", "models",  "plugins_path",
      "system_metrics_cmd",    "tsConfigFile", "use_env_allowed_urls", "use_native_io",  "version", "vmargs"};
  if (std::find(std::begin(kOfFile), std::end(kOfFile), key) != std::end(kOfFile)) return {};
  if (key == "token_expiration_min") return "TS_TOKEN_EXPIRATION_TIME_MIN";
  std::string name = key.starts_with("ts_") ? "" : "TS_";
  for (const char c : key) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

bool says(const Properties& properties, std::string_view key) {
  const auto found = properties.find(key);
  return found != properties.end() && is_java_true(found->second);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool is_java_true(std::string_view value) { return value.size() == 4 && strncasecmp(value.data(), "true", 4) == 0; }

std::optional<int64_t> digits_number(std::string_view value) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < 0) return std::nullopt;
  return number;
}

std::vector<std::string> comma_list(std::string_view value) {
  std::vector<std::string> out;
  while (true) {
    const size_t comma = value.find(',');
    if (const std::string_view part = trimmed(value.substr(0, comma)); !part.empty()) out.emplace_back(part);
    if (comma == std::string_view::npos) return out;
    value.remove_prefix(comma + 1);
  }
}

Variables process_variables() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<Properties> resolve_properties(Properties properties, std::span<const std::string_view> keys,
                                      const Variables& variables) {
  for (auto& [key, value] : properties) {
    MM_ASSIGN_OR_RETURN(value, with_variables(key, value, variables));
  }
  if (!says(properties, "enable_envvars_config")) return properties;
  const bool urls = says(properties, "use_env_allowed_urls");
  for (const std::string_view key : keys) {
    const std::string name = variable_of(key);
    if (name.empty() || (key == "allowed_urls" && !urls)) continue;
    if (const auto value = variables(name)) properties[std::string(key)] = *value;
  }
  return properties;
}

Result<TorchserveStartup> read_torchserve_startup(const std::string& file, const Variables& variables) {
  constexpr uint64_t kLimit = 16 << 20;
  const auto read = [&]() -> Result<TorchserveStartup> {
    MM_ASSIGN_OR_RETURN(const std::string text, read_file(file, kLimit));
    MM_ASSIGN_OR_RETURN(Properties properties, parse_properties(text));
    MM_ASSIGN_OR_RETURN(properties, resolve_properties(std::move(properties), kStartupKeys, variables));
    return torchserve_startup(properties);
  };
  Result<TorchserveStartup> startup = read();
  if (!startup.ok()) return startup.status().with_context("file '" + file + "'");
  return startup;
}

bool is_torchserve_properties(const std::string& path) {
  std::error_code error;
  std::string name = path;
  if (path.starts_with("/proc/self/fd/")) {
    constexpr std::string_view kGone = " (deleted)";  // what the link of a file without a folder ends with
    name = std::filesystem::read_symlink(path, error).string();
    if (error || !name.starts_with("/memfd:")) return false;
    if (name.ends_with(kGone)) name.resize(name.size() - kGone.size());
  }
  return (name.ends_with(".properties") || name.ends_with(".cfg")) && std::filesystem::is_regular_file(path, error);
}

}  // namespace modelmill
