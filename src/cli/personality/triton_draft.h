#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "cli/personality/personality.h"

namespace modelmill::personality {

/// What Triton's flags have said so far, with Triton's defaults.
struct TritonDraft {
  Launch launch;

  bool allow_http = true;
  std::string http_address = "0.0.0.0";
  int http_port = 8000;
  bool reuse_http_port = false;
  bool allow_grpc = true;
  std::string grpc_address = "0.0.0.0";
  int grpc_port = 8001;
  bool reuse_grpc_port = false;
  bool allow_metrics = true;
  std::string metrics_address;  // empty: that of HTTP
  int metrics_port = 8002;

  std::string cloud_address = "0.0.0.0";  // of the ports for SageMaker and Vertex AI, whatever HTTP's is
  bool allow_sagemaker = false;
  int sagemaker_port = 8080;
  std::optional<std::pair<int, int>> safe_ports;  // of the ports that are not SageMaker's
  bool allow_vertex = false;
  int vertex_port = 8080;
  std::string vertex_model;  // empty: the only one

  bool grpc_tls = false;
  bool grpc_mutual_tls = false;
  std::string server_cert;
  std::string server_key;
  std::string root_cert;

  std::set<std::string> caches;           // that --cache-config names
  std::optional<int64_t> old_cache_size;  // of --response-cache-byte-size

  bool exit_on_error = true;
  bool strict_readiness = true;
  bool auto_complete = true;
  bool strict_model_config = false;
  bool client_shared_memory = false;
  int exit_timeout = 30;
  int connection_age_ms = 0;  // 0: a connection may live for ever
  int connection_age_grace_ms = 0;
  int poll_seconds = 15;
  int load_threads = 4;
  int load_retries = 0;
  bool trace_off = false;
};

/// A flag of Triton's. `apply` sees each of its values; null: there is nothing to see.
struct TritonFlag : FlagText {
  Status (*apply)(TritonDraft& draft, const std::string& text) = nullptr;
};

/// Every flag of tritonserver, in the order of its usage.
const std::vector<TritonFlag>& triton_flags();
/// The parts of that list.
std::vector<TritonFlag> triton_model_flags();
std::vector<TritonFlag> triton_endpoint_flags();
std::vector<TritonFlag> triton_watching_flags();  // logs, metrics, traces
std::vector<TritonFlag> triton_machine_flags();   // memory, devices, backends, caches

}  // namespace modelmill::personality
