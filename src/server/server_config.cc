#include "server/server_config.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <set>
#include <system_error>

#include "dialect/header_forwarding.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

Status check_range(const char* what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return ok_status();
  return invalid_argument(std::string(what) + " is " + std::to_string(value) + "; it must be between " +
                          std::to_string(low) + " and " + std::to_string(high));
}

Status check_limits(const wire::Limits& limits) {
  constexpr int64_t kMost = int64_t{1} << 50;
  const auto bytes = [](const char* what, uint64_t value, int64_t low, int64_t high) {
    return check_range(what, static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX)), low, high);
  };
  MM_RETURN_IF_ERROR(check_range("--max-connections", limits.connections, 1, 10'000'000));
  MM_RETURN_IF_ERROR(check_range("--max-streams", limits.streams_per_connection, 1, 1'000'000));
  MM_RETURN_IF_ERROR(bytes("--max-header-bytes", limits.header_bytes, 1'024, int64_t{16} << 20));
  MM_RETURN_IF_ERROR(bytes("--max-headers", limits.header_count, 16, 100'000));
  MM_RETURN_IF_ERROR(bytes("--max-body-bytes", limits.http_body, 1, kMost));
  MM_RETURN_IF_ERROR(bytes("--max-message-bytes", limits.grpc_message, 1, INT32_MAX));
  MM_RETURN_IF_ERROR(bytes("--max-inflated-bytes", limits.inflated, 1, kMost));
  return bytes("--max-unsent-bytes", limits.unsent, 0, kMost);
}

/// A port of 0 is another port each time.
Status check_listen(const std::vector<wire::Endpoint>& endpoints) {
  std::set<std::string> seen;
  for (const wire::Endpoint& endpoint : endpoints) {
    const std::string address = address_text(endpoint);
    if ((endpoint.is_unix() || endpoint.port != 0) && !seen.insert(address).second)
      return invalid_argument("--listen names " + address + " twice");
  }
  return ok_status();
}

Status check_shared_memory(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    if (key.starts_with('/') && key.find('/', 1) == std::string::npos) continue;
    return invalid_argument("--allow-client-shm: no key of shared memory begins with '" + key +
                            "'; write /NAME for those that begin so, or / for all");
  }
  return ok_status();
}

Status check_cloud_routes(const invocations::CloudRoutes& routes) {
  const auto check = [](const char* variable, const std::string& path) {
    if (path.empty() || path.starts_with('/')) return ok_status();
    return invalid_argument(std::string(variable) + " in the environment is '" + path +
                            "', and no path: it must begin with '/'");
  };
  MM_RETURN_IF_ERROR(check("AIP_HEALTH_ROUTE", routes.health));
  return check("AIP_PREDICT_ROUTE", routes.predict);
}

Status check_forwarding(const ServerConfig& config) {
  for (const std::string* const pattern : {&config.forward_headers, &config.forward_metadata})
    if (!pattern->empty())
      if (const auto parsed = HeaderForwarding::parse(*pattern); !parsed.ok())
        return parsed.status().with_context("--forward-headers");
  return ok_status();
}

Status check_tls(const ServerConfig& config) {
  const wire::TlsOptions& tls = config.tls;
  if (tls.certificate.empty() != tls.key.empty())
    return invalid_argument("--tls-cert and --tls-key belong together; give both");
  if (!tls.client_ca.empty() && !tls.enabled())
    return invalid_argument("--tls-client-ca needs a certificate of the server's; give --tls-cert and --tls-key");
  if (!tls.enabled()) return ok_status();
  for (const wire::Endpoint& endpoint : endpoints_of(config))
    if (!endpoint.is_unix() && endpoint.scheme != wire::Endpoint::Scheme::kHttp) return ok_status();
  return invalid_argument("--tls-cert is given, but no --listen speaks TLS; add one like https://0.0.0.0:8443");
}

}  // namespace

std::vector<wire::Endpoint> endpoints_of(const ServerConfig& config) {
  if (!config.listen.empty()) return config.listen;
  return {{wire::Endpoint::Scheme::kAny, config.host, static_cast<uint16_t>(config.port), ""}};
}

Status check_server_config(const ServerConfig& config) {
  if (config.paths.empty() && config.model_config_file.empty() && config.multi_model_folders.empty())
    return invalid_argument("PATH is required: no model is named; give a model file or a folder of models");
  if (config.host.empty()) return invalid_argument("--host is empty; it must be an address or a name");
  MM_RETURN_IF_ERROR(check_range("--port", config.port, 0, 65'535));
  MM_RETURN_IF_ERROR(check_listen(config.listen));
  MM_RETURN_IF_ERROR(check_tls(config));
  MM_RETURN_IF_ERROR(check_range("--io-threads", config.io_threads, 0, 256));
  MM_RETURN_IF_ERROR(check_range("--instances", config.instances, 0, 1'024));
  MM_RETURN_IF_ERROR(check_range("--instances", config.max_instances, 0, 1'024));
  MM_RETURN_IF_ERROR(check_range("--instance-threads", config.instance_threads, 0, 1'024));
  MM_RETURN_IF_ERROR(check_range("--load-threads", config.load_threads, 1, 256));
  MM_RETURN_IF_ERROR(check_range("--max-queue-size", config.max_queue_requests, 0, int64_t{1} << 31));
  MM_RETURN_IF_ERROR(check_range("--max-queue-bytes", config.max_queue_bytes, 0, int64_t{1} << 50));
  constexpr auto kCacheBound = uint64_t{1} << 50;
  if (config.response_cache.bytes > kCacheBound)
    return invalid_argument("--response-cache-bytes is " + std::to_string(config.response_cache.bytes) +
                            ", and may be at most " + std::to_string(kCacheBound));
  MM_RETURN_IF_ERROR(check_range("--shadow-requests", config.shadows.requests, 1, int64_t{1} << 20));
  MM_RETURN_IF_ERROR(check_range("--shadow-bytes", config.shadows.bytes, 1, int64_t{1} << 50));
  if (!config.control.load_models.empty() && config.control.mode != ControlMode::kExplicit)
    return invalid_argument("--load-model needs --model-control-mode explicit");
  MM_RETURN_IF_ERROR(check_limits(config.limits));
  MM_RETURN_IF_ERROR(check_access_config(config.access));
  MM_RETURN_IF_ERROR(check_shared_memory(config.shared_memory_keys));
  MM_RETURN_IF_ERROR(check_forwarding(config));
  MM_RETURN_IF_ERROR(check_cloud_routes(config.cloud_routes));
  MM_RETURN_IF_ERROR(check_trace_config(config.trace));
  MM_RETURN_IF_ERROR(check_range("--drain-delay", config.drain_delay.count(), 0, 86'400));
  return check_range("--drain-timeout", config.drain_timeout.count(), 0, 86'400);
}

int default_io_threads(int usable_cores) { return std::clamp(usable_cores, 1, 8); }

std::string program_directory() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? std::string(".") : program.parent_path().string();
}

std::vector<std::string> backend_directories(const ServerConfig& config, const std::string& program_directory) {
  std::vector<std::string> directories = config.backend_directories;
  const fs::path own(program_directory);
  for (const fs::path& usual : {own, own / "backends", (own / ".." / "lib" / "modelmill").lexically_normal()}) {
    std::error_code error;
    if (fs::is_directory(usual, error)) directories.push_back(usual.string());
  }
  return directories;
}

Status add_backend_setting(const std::string& text,
                           std::map<std::string, std::map<std::string, std::string>>& settings) {
  const size_t comma = text.find(',');
  const size_t equals = comma == std::string::npos ? comma : text.find('=', comma);
  if (comma == std::string::npos || equals == std::string::npos || comma == 0 || equals == comma + 1) {
    return invalid_argument("'" + text + "' is no backend setting; expected BACKEND,SETTING=VALUE");
  }
  settings[text.substr(0, comma)][text.substr(comma + 1, equals - comma - 1)] = text.substr(equals + 1);
  return ok_status();
}

}  // namespace modelmill
