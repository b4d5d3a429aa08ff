#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "cache/response_cache.h"
#include "catalog/series_settings.h"
#include "dialect/description/root_reply.h"
#include "dialect/invocations/cloud_routes.h"
#include "dialect/torchserve/sequence_names.h"
#include "lifecycle/control_settings.h"
#include "model/execution_resources.h"
#include "route/shadow_budget.h"
#include "server/access/access_config.h"
#include "server/state_directory.h"
#include "server/torchserve_snapshot_config.h"
#include "server/trace_config.h"
#include "wire/server.h"

namespace modelmill {

/// What becomes of a server some of whose models could not be loaded at its start.
enum class FailedModels {
  kServeOthers,  // it serves the others; it ends when there are none
  kEnd,
  kServeOn,  // it serves the others, if any
};

/// Everything that a server can be told at its start. A value; what is left alone has the default that is served best.
struct ServerConfig {
  /// Model files, model folders, or folders of models.
  std::vector<std::string> paths;
  /// See ModelSources.
  std::string model_config_name;
  std::string model_config_file;
  std::string batching_parameters_file;
  bool own_batching = false;

  /// What models have as parameters, by name, unless their files say another thing.
  std::map<std::string, std::string> model_parameters;

  FailedModels failed_models = FailedModels::kServeOthers;
  /// Nobody listens before the start is over: for who takes an open port for a sign that the models are there.
  bool listen_when_loaded = false;
  /// It says that it is ready once its start is over, whether its models are or not.
  bool ready_without_models = false;
  /// What models' configurations leave out is found out; else a model whose configuration lacks something fails.
  bool auto_complete_config = true;

  /// What an inference over TensorFlow Serving's REST may take; 0: as long as its client waits.
  std::chrono::milliseconds tf_rest_timeout{0};
  /// Where TensorFlow Serving's metrics are; empty: at its usual path. Its first segment is no dialect's.
  std::string tf_metrics_path;
  /// They have the times of executions, and with `tf_batching` how requests came together to batches.
  bool tf_run_series = false;
  bool tf_batching = false;
  /// The page of metrics begins with TorchServe's.
  bool torchserve_metrics = false;
  /// A model that a client of TorchServe registers without a number of workers has `instances` of them, and none where
  /// that is 0.
  bool torchserve_workers = false;
  /// The names of what TorchServe's clients and handlers tell of sequences by.
  torchserve::SequenceNames torchserve_sequence_names;
  /// It begins with those of KServe's runtimes, and the paths that begin with /v1 are KServe's alone.
  bool kserve_runtime = false;
  /// It begins with MLServer's, of which those of HTTP begin with this; empty: it doesn't.
  std::string mlserver_metrics_prefix;
  TorchserveSnapshotConfig torchserve_snapshots;
  /// What GET / answers in the place of the front page.
  std::optional<description::RootReply> root_reply;
  /// The front page is at /docs, too.
  bool docs_page = false;
  /// The model or route of requests to /invocations that name none; empty: the only model.
  std::string default_model;
  /// Where Vertex AI asks.
  invocations::CloudRoutes cloud_routes;
  /// Where the models of a multi-model endpoint of SageMaker's may lie; it needs none at the start. None: it is no such
  /// endpoint.
  std::vector<std::string> multi_model_folders;
  /// Clients may name another path in Triton's header, where they can ask at Vertex AI's path of inference alone.
  bool vertex_redirect = false;
  /// The name under which it tells of itself.
  std::string server_name = "modelmill";
  std::string host = "127.0.0.1";
  int port = 8000;  // 0: any free one
  /// Where to listen; then host and port mean nothing. Empty: at these two.
  std::vector<wire::Endpoint> listen;
  wire::TlsOptions tls;
  /// Event loops, each on a thread of its own. 0: default_io_threads().
  int io_threads = 0;
  wire::Limits limits;
  /// What an HTTP request's compressed body may inflate to. 0: limits.inflated.
  size_t http_inflated = 0;
  wire::GrpcCompression grpc_compression = wire::GrpcCompression::kMirror;
  /// Regular expressions: which headers of V2's requests, and which metadata of its calls, models get as parameters.
  /// Empty: none.
  std::string forward_headers;
  std::string forward_metadata;
  AccessConfig access;
  /// What keys of shared memory that clients may register begin with; none: clients may register none.
  std::vector<std::string> shared_memory_keys;
  /// What one request may have read there. 0: what a body may have.
  uint64_t shared_memory_bytes = 0;
  /// Where what should outlast the server is kept: a token that it made, what it learned. Empty: nowhere.
  std::string state_directory = default_state_directory();
  /// That folder is this server's own: what clients decide about models is kept there too, and is so again after a
  /// restart.
  bool keep_decisions = false;

  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  bool access_log = false;
  TraceConfig trace;
  /// Which series of times versions have.
  SeriesSettings series;
  /// Triton's series of GPUs and of the machine; and those of its pool of pinned memory, of which there is none.
  bool gpu_series = true;
  bool cpu_series = true;
  bool pinned_pool_series = false;
  /// Every answer to an inference says where its time went.
  bool server_timing = false;

  /// Searched before the usual ones (see backend_directories()).
  std::vector<std::string> backend_directories;
  /// By backend, then by setting's name.
  std::map<std::string, std::map<std::string, std::string>> backend_settings;

  /// Copies of every model that run side by side, and threads inside each. 0: chosen from the cores and the backend.
  int instances = 0;
  int instance_threads = 0;
  /// Above 0: each model has from `instances` to so many, as its load needs.
  int max_instances = 0;
  /// A model that was idle for so long has no instance; 0: it keeps one.
  std::chrono::microseconds scale_to_zero_after{0};
  /// Bounds of what may wait in each model's queue. 0: the default of the request path.
  int64_t max_queue_requests = 0;
  int64_t max_queue_bytes = 0;
  /// Of the answers that are kept of models that want it; no bound at all: none are.
  CacheLimits response_cache;
  /// Bounds of what copies of requests to routes' shadows hold together.
  ShadowLimits shadows;
  /// See LoadSettings.
  std::string runtime = "auto";
  std::vector<std::string> runtime_precisions;
  std::optional<double> runtime_tolerance;
  bool allow_url_code = false;
  bool allow_sent_code = false;
  int load_threads = 2;
  /// See LoadSettings.
  bool warm_up = true;
  int warm_up_iterations = 1;
  /// What executions take before they begin, where models say so.
  ResourceSettings resources;
  /// How models come and go while the server runs.
  ControlSettings control;
  /// Latency objectives (p99 of a request's time in the server) by model; "" is that of all others.
  std::map<std::string, std::chrono::microseconds> objectives;

  /// How long requests in flight may take to finish after a signal to stop.
  std::chrono::seconds drain_timeout{30};
  /// How long it goes on serving at a stop once it says that it is not ready, before the drain begins.
  std::chrono::seconds drain_delay{0};
};

/// Where a server so configured listens; at least one.
std::vector<wire::Endpoint> endpoints_of(const ServerConfig& config);

/// INVALID_ARGUMENT that names the first setting out of its range.
Status check_server_config(const ServerConfig& config);

/// As many loops as cores can be used, at most 8: beyond that the loops are faster than any model behind them.
int default_io_threads(int usable_cores);

/// Where backends' plugins are searched: the directories given, the program's own folder and `backends` in it, and
/// ../lib/modelmill from there, which is where they are installed. Folders that do not exist are left out, except the
/// given ones.
std::vector<std::string> backend_directories(const ServerConfig& config, const std::string& program_directory);

/// The folder of the running program's file.
std::string program_directory();

/// Triton's form "BACKEND,SETTING=VALUE" put into `settings`. INVALID_ARGUMENT shows the form.
Status add_backend_setting(const std::string& text,
                           std::map<std::string, std::map<std::string, std::string>>& settings);

}  // namespace modelmill
