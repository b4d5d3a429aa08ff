#include "server/model_server.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/chance.h"
#include "base/check.h"
#include "base/log.h"
#include "dialect/admin/control.h"
#include "dialect/admin/grpc_control.h"
#include "dialect/admin/service.h"
#include "dialect/description/service.h"
#include "dialect/description/v2_docs.h"
#include "dialect/graphs/service.h"
#include "dialect/header_forwarding.h"
#include "dialect/http_router.h"
#include "dialect/invocations/service.h"
#include "dialect/kserve_v1/runtime_metrics.h"
#include "dialect/kserve_v2/http_api_group.h"
#include "dialect/kserve_v2/service.h"
#include "dialect/mlserver/custom_routes.h"
#include "dialect/mlserver/metrics.h"
#include "dialect/openai/service.h"
#include "dialect/predict/service.h"
#include "dialect/tfserving/service.h"
#include "dialect/torchserve/service.h"
#include "lifecycle/record_files.h"
#include "server/access/access.h"
#include "server/access/redirect_gate.h"
#include "server/access/torch_key_gate.h"
#include "server/announcement.h"
#include "server/certificate_keeper.h"
#include "server/ebb_watch.h"
#include "server/engine.h"
#include "server/gpu_metrics.h"
#include "server/host_info.h"
#include "server/malloc_tuning.h"
#include "server/process_metrics.h"
#include "server/protobuf_log.h"
#include "server/signal_watcher.h"
#include "server/torchserve_snapshots.h"
#include "server/version.h"
#include "wire/health_watches.h"

namespace modelmill {
namespace {

/// After the drain, models must come to an end in this time; then the process ends with what they are doing.
constexpr auto kUnloadGrace = std::chrono::seconds(10);

/// Large requests that may wait to be parsed; their bodies are in memory already.
constexpr size_t kMostLargeRequests = 1024;

/// How soon memory is given back after many connections have ended.
constexpr auto kEbbInterval = std::chrono::seconds(5);

/// Connections are files, and the usual soft limit of 1,024 is far below what one server holds.
void raise_file_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

/// Null: no header is forwarded. The pattern has been checked.
std::shared_ptr<const HeaderForwarding> forwarding_of(const std::string& pattern) {
  if (pattern.empty()) return nullptr;
  Result<HeaderForwarding> forwarding = HeaderForwarding::parse(pattern);
  MM_CHECK(forwarding.ok(), "the pattern of forwarded headers was checked at the start");
  return std::make_shared<const HeaderForwarding>(*std::move(forwarding));
}

/// The access line of a gRPC call, with the fields of an HTTP request's line and the call's own status.
void log_call(const wire::GrpcCallRecord& call) {
  Log::info("access", {{"method", "POST"},
                       {"path", call.method},
                       {"grpc_status", code_name(call.code)},
                       {"us", call.microseconds},
                       {"request_id", call.request_id},
                       {"trace_id", call.trace_id},
                       {"peer", call.peer},
                       {"protocol", "gRPC"},
                       {"scheme", call.tls ? "https" : "http"}});
}

}  // namespace

/// Members are in the order of start; destruction runs it backwards.
struct ModelServer::Rep {
  explicit Rep(ServerConfig c)
      : config(std::move(c)),
        engine(config, &offload),
        loops(config.io_threads > 0 ? config.io_threads : default_io_threads(usable_cores())),
        kserve(config.kserve_runtime ? std::make_shared<kserve_v1::RuntimeMetrics>() : nullptr),
        v2(engine.inference(),
           {config.server_name, server_version(), [this] { return ready(); }, forwarding_options(),
            &engine.lifecycle().control(), &engine.tracer(), config.shared_memory_keys,
            config.shared_memory_bytes > 0 ? config.shared_memory_bytes : config.limits.http_body,
            &engine.graph_states(), CudaDriver::of_machine, forwarding_of(config.forward_metadata)}) {}
  /// What it still runs is about loops and the engine, which go before it.
  ~Rep() { offload.stop(); }

  HttpOptions http_options() {
    const size_t inflated = config.http_inflated > 0 ? config.http_inflated : config.limits.inflated;
    return {{inflated, wire::refused_counter(engine.metrics(), "inflated")}, config.server_timing, &offload};
  }
  /// Of the protocols whose inferences KServe's metrics count.
  HttpOptions observed_options() {
    HttpOptions options = http_options();
    options.observer = kserve;
    return options;
  }
  HttpOptions forwarding_options() {
    HttpOptions options = observed_options();
    options.forwarding = forwarding_of(config.forward_headers);
    return options;
  }
  bool ready() { return started && !stopping && (config.ready_without_models || engine.lifecycle().all_ready()); }

  ServerConfig config;
  SignalWatcher signals;  // before any other thread, so that all inherit the mask
  std::atomic<bool> started{false};
  std::atomic<bool> stopping{false};
  // Of TorchServe; nullopt: it has none. They outlive what the engine runs.
  std::optional<TorchserveSnapshots> snapshots;
  std::optional<SnapshottingControl> snapshotting;
  Offload offload{usable_cores(), kMostLargeRequests};
  Engine engine;
  RecordFiles record_files{engine.metrics()};
  wire::LoopPool loops;
  const std::shared_ptr<kserve_v1::RuntimeMetrics> kserve;  // null: nobody asks for them
  std::unique_ptr<mlserver::ServerMetrics> mlserver;        // likewise
  kserve_v2::Service v2;
  HttpRouter services;  // what graphs ask, by the paths of V1 and V2
  HttpRouter router;
  wire::GrpcMethods grpc;
  std::unique_ptr<CertificateKeeper> certificate;  // null without TLS
  std::shared_ptr<torchserve::Keys> keys;          // null without TorchServe's token authorization
  Access access;
  std::shared_ptr<wire::HealthWatches> health_watches;
  std::unique_ptr<wire::Server> listener;

  Status make_keys() {
    if (config.access.key_file.empty()) return ok_status();
    const std::chrono::duration<double, std::ratio<60>> lifetime(config.access.key_minutes);
    MM_ASSIGN_OR_RETURN(keys,
                        torchserve::Keys::make(config.access.key_file, std::chrono::duration_cast<Duration>(lifetime)));
    return ok_status();
  }

  /// Who may call what: the rules of groups, and behind them the keys.
  Status set_up_access(const std::vector<wire::Endpoint>& endpoints) {
    const HttpRouter::AccessLog log = config.access_log ? log_access : HttpRouter::AccessLog();
    MM_ASSIGN_OR_RETURN(access, modelmill::set_up_access(config.access, config.state_directory, endpoints, router, log,
                                                         engine.metrics()));
    if (keys) ask_for_keys(log);
    if (config.vertex_redirect)
      access.gatekeeper = std::make_shared<RedirectGate>(config.cloud_routes.predict, access.gatekeeper, log);
    return ok_status();
  }
  void ask_for_keys(const HttpRouter::AccessLog& log) {
    access.gatekeeper = std::make_shared<TorchKeyGate>(keys, access.gatekeeper, router, log, engine.metrics());
    access.announcement += TorchKeyGate::announcement(keys->file());
    if (access.curl_options)
      access.curl_options->append(access.curl_options->empty() ? "" : " ").append(TorchKeyGate::kCurlOption);
  }

  wire::HttpHandler handler() { return mlserver ? mlserver->counted(router.handler()) : router.handler(); }

  /// What TorchServe's management changes is in its snapshots.
  ModelControl& torchserve_control() {
    ModelControl& control = engine.lifecycle().control();
    if (config.torchserve_snapshots.folder.empty()) return control;
    snapshots.emplace(config.torchserve_snapshots, [this] { return engine.lifecycle().registered(); });
    return snapshotting.emplace(control, *snapshots);
  }

  void add_dialects() {
    router.add("v2", description::with_v2_docs(v2.http(), engine.catalog(), server_version()),
               kserve_v2::http_api_group);
    router.add("predict", predict::make_handler(engine.inference(), http_options()), predict::http_api_group);
    const auto observers = std::make_shared<tfserving::Observers>(record_files);
    if (!config.tf_metrics_path.empty()) observers->metrics_path = config.tf_metrics_path;
    observers->metrics.tell_of({engine.batches(), config.tf_batching || !config.batching_parameters_file.empty(),
                                engine.load_attempts(), &record_files});
    HttpOptions tf_options = observed_options();
    tf_options.timeout = config.tf_rest_timeout;
    tfserving::add_to(router, engine.inference(), tf_options, observers,
                      kserve ? tfserving::Dialects::kKserveV1 : tfserving::Dialects::kBoth);
    tfserving::add_to(grpc, engine.inference(), engine.lifecycle().control(), http_options(), observers);
    add_graphs(observers);
    openai::add_to(router, engine.inference(), http_options());
    // A model of a multi-model endpoint that can't be loaded is no reason to end the others.
    const bool multi_model = !config.multi_model_folders.empty();
    const auto healthy = [this, multi_model] { return multi_model ? started && !stopping : ready(); };
    const torchserve::Service torch(
        engine.inference(), torchserve_control(),
        {server_version(), healthy, http_options(), keys, multi_model, &engine.lifecycle().workflows(),
         config.torchserve_workers ? std::optional(config.instances) : std::nullopt,
         std::make_shared<const torchserve::SequenceNames>(config.torchserve_sequence_names)});
    torch.add_to(router);
    torch.add_to(grpc);
    mlserver::add_custom_routes(router, engine.inference(), http_options());
    std::function<std::string()> more_metrics;
    if (config.torchserve_metrics) more_metrics = [torch] { return torch.metrics_page(); };
    if (kserve) more_metrics = [this] { return kserve->render(engine.catalog()); };
    if (!config.mlserver_metrics_prefix.empty()) {
      mlserver = std::make_unique<mlserver::ServerMetrics>(config.mlserver_metrics_prefix);
      more_metrics = [this] { return mlserver->render(engine.catalog()); };
    }
    admin::add_to(router, engine.catalog(), engine.metrics(), &engine.routes(), std::move(more_metrics));
    description::add_to(
        router, engine.catalog(), grpc,
        {server_version(), config.root_reply, config.tf_metrics_path, config.docs_page, &engine.graph_states()});
    const admin::Controls controls{engine.catalog(),
                                   engine.lifecycle().control(),
                                   engine.route_control(),
                                   engine.rollout_control(),
                                   engine.experiment_control(),
                                   engine.weight_control(),
                                   &offload,
                                   &engine.routes()};
    admin::add_control(router, controls);
    admin::add_control(grpc, controls);
    invocations::add_to(
        router, engine.inference(),
        {server_version(), [this] { return ready(); }, http_options(), v2.regions(), config.default_model,
         config.cloud_routes, config.multi_model_folders, &engine.lifecycle().control()});
    if (config.access_log) router.set_access_log(log_access);
    if (config.access_log || mlserver)
      grpc.set_call_log([this](const wire::GrpcCallRecord& call) {
        if (config.access_log) log_call(call);
        if (mlserver) mlserver->ended(call);
      });
    grpc.set_compression(config.grpc_compression);
    v2.add_to(grpc);
    health_watches = wire::add_health_service(grpc, [this](std::string_view service) { return v2.health(service); });
    wire::add_reflection_service(grpc);
    add_process_metrics(engine.metrics(), config.cpu_series);
    if (config.gpu_series) add_gpu_metrics(engine.metrics());
    if (config.pinned_pool_series) add_pinned_pool_metrics(engine.metrics());
  }

  void add_graphs(const std::shared_ptr<tfserving::Observers>& observers) {
    services.add("v2", v2.http(), kserve_v2::http_api_group);
    // Graphs are KServe's, and so is what their steps speak.
    tfserving::add_to(services, engine.inference(), observed_options(), observers, tfserving::Dialects::kKserveV1);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes the environment
    const char* const propagated = std::getenv("PROPAGATE_HEADERS");
    graphs::add_to(router, engine.graphs(),
                   {services.handler(), http_options(), graphs::HeaderPatterns(propagated == nullptr ? "" : propagated),
                    [] { return static_cast<int>(chance() * 100); }, nullptr, &engine.graph_states()});
  }

  /// Tells everyone, and goes on serving while load balancers turn away.
  void wait_drain_delay() {
    if (config.drain_delay.count() == 0 || !started) return;
    Log::info("not ready any more; serving on for --drain-delay", {{"seconds", config.drain_delay.count()}});
    listener->ask_to_leave();
    signals.pause_until(Clock::now() + config.drain_delay);
  }

  void stop() {
    stopping = true;
    if (keys) keys->remove_file();
    health_watches->look_again();
    wait_drain_delay();
    health_watches->end();
    const TimePoint until = Clock::now() + config.drain_timeout;
    signals.exit_at(until + kUnloadGrace, 1);
    if (snapshots && started) snapshots->save("shutdown");
    engine.lifecycle().hurry();
    listener->drain(until);
    if (Clock::now() >= until) Log::warning("requests were cut off by --drain-timeout");
    offload.stop();
    engine.shutdown();
    loops.stop();
  }
};

ModelServer::ModelServer(ServerConfig config) : rep_(std::make_unique<Rep>(std::move(config))) {}
ModelServer::~ModelServer() = default;

Status ModelServer::start() {
  raise_file_limit();
  take_over_protobuf_log();
  MM_RETURN_IF_ERROR(rep_->make_keys());
  rep_->add_dialects();
  wire::Server::Options options;
  options.endpoints = endpoints_of(rep_->config);
  if (rep_->config.tls.enabled()) {
    MM_ASSIGN_OR_RETURN(rep_->certificate, CertificateKeeper::start(rep_->config.tls));
    options.tls = rep_->certificate->credentials();
  }
  options.limits = rep_->config.limits;
  options.keep_header_names = !rep_->config.forward_headers.empty();
  MM_RETURN_IF_ERROR(rep_->set_up_access(options.endpoints));
  options.gatekeeper = rep_->access.gatekeeper;
  options.offload = &rep_->offload;
  if (rep_->config.access_log)
    options.refusal_log = [](const wire::HttpRequest& request, int status, uint64_t bytes) {
      log_access(access_record(request, status, bytes));
    };
  rep_->listener =
      std::make_unique<wire::Server>(rep_->loops, options, rep_->handler(), rep_->grpc, rep_->engine.metrics());
  rep_->loops.start();
  return rep_->config.listen_when_loaded ? ok_status() : rep_->listener->listen();
}

Status ModelServer::run_until_signal() {
  Rep& rep = *rep_;
  Status loaded;
  std::atomic<bool> load_over{false};
  std::thread loader([&] {
    loaded = rep.engine.load();
    load_over = true;
    rep.signals.wake();
  });
  rep.signals.wait_signal_or_wake();
  if (!load_over) {
    // A load cannot be interrupted and nobody waits for it any more: answer what is in flight, and go.
    Log::info("stopping while models load", {{"signal", rep.signals.received()}});
    rep.stopping = true;
    if (rep.keys) rep.keys->remove_file();
    rep.health_watches->end();
    rep.listener->drain(Clock::now() + rep.config.drain_timeout);
    ::_exit(0);
  }
  loader.join();
  rep.started = loaded.ok();
  if (loaded.ok() && rep.config.listen_when_loaded) loaded = rep.listener->listen();
  if (!loaded.ok()) {
    rep.started = false;
    rep.stop();
    return loaded;
  }
  if (rep.snapshots) rep.snapshots->save("startup");
  const wire::TlsOptions& tls = rep.config.tls;
  const CurlOptions curl{
      rep.access.curl_options,
      !tls.client_ca.empty() && tls.client_certificate == wire::TlsOptions::ClientCertificate::kRequire};
  print(announcement(rep.listener->endpoints(), *rep.engine.catalog().table(), curl) + rep.access.announcement);
  EbbWatch ebb;
  while (!rep.signals.wait_signal_until(Clock::now() + kEbbInterval))
    if (ebb.has_ebbed(rep.listener->open_connections())) give_back_memory();
  Log::info("stopping", {{"signal", rep.signals.received()}});
  rep.stop();
  Log::info("stopped");
  return ok_status();
}

}  // namespace modelmill
