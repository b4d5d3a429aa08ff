#include "server/engine.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <random>
#include <utility>

#include "base/json_text.h"
#include "base/log.h"
#include "base/private_file.h"
#include "base/utc_time.h"
#include "catalog/execution_limiter.h"
#include "ensemble/ensemble_version.h"
#include "model/tf_serving_config.h"
#include "repository/declared_graphs.h"
#include "repository/declared_routes.h"
#include "repository/model_files.h"
#include "schedule/scheduled_version.h"
#include "server/declared_wishes.h"
#include "server/malloc_tuning.h"
#include "storage/progress_bar.h"

namespace modelmill {
namespace {

int64_t bounded(int64_t planned, int64_t configured) { return configured > 0 ? configured : planned; }

std::string settings_json(const std::map<std::string, std::string>& settings) {
  JsonWriter json;
  json.begin_object();
  for (const auto& [name, value] : settings) json.field(name, value);
  json.end_object();
  return json.take();
}

/// Why each model that is not served is not, one a line (a reason names its model); empty when all are.
std::string failures(const ModelTable& table) {
  std::string text;
  for (const ModelEntry* entry : table.entries()) {
    for (const VersionStatus& status : entry->statuses) {
      if (status.state == VersionState::kReady || status.reason.empty()) continue;
      text += "\n  " + status.reason;
    }
  }
  return text;
}

std::string utc_now() { return utc_text(std::chrono::system_clock::now(), "%Y-%m-%dT%H:%M:%SZ"); }

/// Of this run of the server alone.
std::string replica_name() {
  std::random_device random;
  char name[20];
  std::snprintf(name, sizeof name, "%08x%08x", random(), random());
  return name;
}

/// Logs what is wrong, unless it was just that before.
void tell_once(const char* event, const Status& status, std::string& told) {
  if (!status.ok() && status.message() != told) Log::error(event, {{"reason", status.message()}});
  told = status.message();
}

/// Null: TensorFlow Serving's metrics need none.
std::shared_ptr<BatchSeries> make_batch_series(const ServerConfig& config) {
  const std::string& file = config.batching_parameters_file;
  if (!config.tf_run_series && file.empty()) return nullptr;
  if (file.empty()) return std::make_shared<BatchSeries>("model_server_batch_threads");  // as there
  // What can't be read is an error when models are looked for.
  const auto text = read_file(file, uint64_t{1} << 20);
  return std::make_shared<BatchSeries>(tf_thread_pool_name(text.ok() ? *text : ""));
}

/// Where spans go, if they do.
SpanTarget span_target(const TraceConfig& config, MetricRegistry& metrics) {
  for (const std::string& warning : config.warnings) Log::warning("traces are not as asked", {{"reason", warning}});
  if (!config.opentelemetry) return {};
  const ExportOptions& options = config.collector;
  Log::info("spans go to a collector", {{"collector", options.server.text()}, {"path", shown_path(options)}});
  return {std::make_shared<SpanExporter>(options, metrics), config.sampling, told_of_spans(config)};
}

bool is_ready(const Result<VersionPin>& pin) { return pin.ok() && (*pin)->availability().ok(); }

}  // namespace

std::unique_ptr<BackendRegistry> make_backend_registry(const ServerConfig& config, MetricRegistry* metrics,
                                                       ServerFunctions server) {
  BackendRegistry::Options options;
  options.directories = backend_directories(config, program_directory());
  for (const auto& [backend, settings] : config.backend_settings) options.settings[backend] = settings_json(settings);
  options.metrics = metrics;
  options.server = std::move(server);
  return std::make_unique<BackendRegistry>(std::move(options));
}

Engine::Engine(const ServerConfig& config, Offload* offload)
    : config_(config),
      offload_(offload),
      answers_(config.response_cache.any()
                   ? std::make_shared<ResponseCache>(config.response_cache.with_bytes(), &metrics_)
                   : nullptr),
      tracer_(config.trace.settings, config.trace.file, span_target(config.trace, metrics_)),
      batches_(make_batch_series(config)),
      inference_(catalog_, &demand_, &routes_, &tracer_, config.shadows) {
  backends_ = make_backend_registry(config_, &metrics_, server_functions());
  LifecycleController::Options options;
  if (config_.keep_decisions) options.states = [this](bool make) { return open_states(make); };
  options.load_threads = config_.load_threads;
  options.load.instances = config_.instances;
  options.load.instance_threads = config_.instance_threads;
  options.load.auto_complete_config = config_.auto_complete_config;
  options.load.runtime = config_.runtime;
  options.load.runtime_precisions = config_.runtime_precisions;
  options.load.runtime_tolerance = config_.runtime_tolerance;
  options.load.allow_url_code = config_.allow_url_code;
  options.load.allow_sent_code = config_.allow_sent_code;
  options.load.objectives = config_.objectives;
  options.load.series = config_.series;
  options.load.series.batches = batches_;
  options.load.gpu_series = config_.gpu_series;
  options.load.attempts = load_attempts_;
  options.load.warm_up = config_.warm_up;
  options.load.warm_up_iterations = config_.warm_up_iterations;
  if (config_.resources.limited) options.load.limiter = std::make_shared<ExecutionLimiter>(config_.resources.declared);
  options.load.instance_limits = {config_.max_instances > 0 ? config_.instances : 0, config_.max_instances,
                                  config_.scale_to_zero_after};
  if (!config_.state_directory.empty()) options.load.cost_directory = config_.state_directory + "/costs";
  options.control = config_.control;
  options.control.after_unload = give_back_memory;
  if (options.control.remote.cache_directory.empty())
    options.control.remote.cache_directory = default_cache_directory();
  options.load.cache_directory = options.control.remote.cache_directory;
  options.control.remote.progress = ProgressBar::for_stderr();
  weight_keeper_ = std::make_unique<WeightKeeper>(metrics_, WeightKeeper::Options{store_of_decisions(), utc_now});
  const EnsembleFactory ensembles = [this](ModelVersion::Description description, std::shared_ptr<VersionStats> stats,
                                           std::shared_ptr<const EnsemblePlan> plan) {
    auto weights = weight_keeper_->attach(plan);
    // Weights change the answers, and learning them needs those of the members; and so does who answers in time.
    const auto epoch = std::make_shared<MemberEpoch>(plan, members_, weights != nullptr);
    auto cache = epoch->steady() ? cache_of(description.definition, stats, [epoch] { return epoch->now(); }) : nullptr;
    return std::make_shared<EnsembleVersion>(std::move(description), std::move(stats), std::move(plan), members_,
                                             std::move(weights), std::move(cache), epoch);
  };
  lifecycle_ = std::make_unique<LifecycleController>(catalog_, demand_, *backends_, metrics_, factory(), ensembles,
                                                     std::move(options));
  code_control_ = std::make_unique<CodeControl>(catalog_, lifecycle_->control(), config_.control.mode);
  route_keeper_ = make_route_keeper();
  rollout_keeper_ = make_rollout_keeper();
  experiment_keeper_ = make_experiment_keeper();
}

Engine::~Engine() { shutdown(); }

Result<FileStore*> Engine::open_store(bool make) {
  const MutexLock lock(store_mutex_);
  if (store_) return store_.get();
  const std::string folder = config_.state_directory + "/store";
  if (!make && ::access(folder.c_str(), F_OK) != 0) return nullptr;
  MM_RETURN_IF_ERROR(make_private_folder(config_.state_directory));
  MM_ASSIGN_OR_RETURN(store_, FileStore::open(folder));
  return store_.get();
}

Result<ModelStates*> Engine::open_states(bool make) {
  MM_ASSIGN_OR_RETURN(FileStore* const store, open_store(make));
  if (store == nullptr) return nullptr;
  const MutexLock lock(store_mutex_);
  if (!states_) states_ = std::make_unique<ModelStates>(*store);
  return states_.get();
}

std::function<Result<StateStore*>(bool make)> Engine::store_of_decisions() {
  if (!config_.keep_decisions) return nullptr;
  return [this](bool make) -> Result<StateStore*> {
    MM_ASSIGN_OR_RETURN(FileStore* const store, open_store(make));
    return store;
  };
}

std::unique_ptr<RouteKeeper> Engine::make_route_keeper() {
  RouteKeeper::Options options;
  options.store = store_of_decisions();
  options.publish = [this](const std::vector<RouteDefinition>& routes) { routes_.publish(routes); };
  options.now = utc_now;
  return std::make_unique<RouteKeeper>(catalog_, std::move(options));
}

std::unique_ptr<RolloutKeeper> Engine::make_rollout_keeper() {
  RolloutKeeper::Options options;
  options.store = store_of_decisions();
  options.replica = replica_name();
  options.look_for_routes = [this] { route_keeper_->look_for_store(); };
  options.count = [this](const std::string& route, const RouteTarget& arm) { return routes_.counts(route, arm); };
  options.count_copies = [this](const std::string& route, const RouteTarget& shadow) {
    return routes_.copies(route, shadow);
  };
  options.make_default = [this](const std::string& model, int64_t version) {
    const auto answer = std::make_shared<std::promise<Status>>();
    auto done = answer->get_future();
    lifecycle_->control().assign({model, "", version, false}, [answer](Status status) { answer->set_value(status); });
    return done.get();
  };
  options.now = utc_now;
  return std::make_unique<RolloutKeeper>(catalog_, *route_keeper_, metrics_, std::move(options));
}

std::unique_ptr<ExperimentKeeper> Engine::make_experiment_keeper() {
  ExperimentKeeper::Options options;
  options.store = store_of_decisions();
  if (config_.keep_decisions) options.folder = config_.state_directory + "/experiments";
  options.replica = replica_name();
  options.exposures = [this](const std::string& route) { return routes_.exposures(route); };
  options.now = utc_now;
  options.now_ms = [] {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(now).count()};
  };
  return std::make_unique<ExperimentKeeper>(*route_keeper_, metrics_, std::move(options));
}

VersionFactory Engine::factory() {
  return [this](ModelVersion::Description description, std::shared_ptr<VersionStats> stats, VersionPlan plan,
                std::unique_ptr<BackendModel> model, std::vector<std::unique_ptr<BackendInstance>> instances) {
    plan.max_queue_requests = bounded(plan.max_queue_requests, config_.max_queue_requests);
    plan.max_queue_bytes = bounded(plan.max_queue_bytes, config_.max_queue_bytes);
    auto cache = cache_of(description.definition, stats);
    return make_scheduled_version(std::move(description), std::move(stats), std::move(plan), std::move(model),
                                  std::move(instances), TimeSource::steady(), std::move(cache));
  };
}

std::shared_ptr<VersionCache> Engine::cache_of(const ModelDefinition& definition,
                                               const std::shared_ptr<VersionStats>& stats,
                                               VersionCache::Ground ground) {
  if (!answers_ || !definition.response_cache) return nullptr;
  return std::make_shared<VersionCache>(answers_, stats, std::move(ground), offload_);
}

ServerFunctions Engine::server_functions() {
  ServerFunctions out;
  out.call_model = [this](InferRequestPtr request, const char* decoupled_refusal) {
    RoutedRequestPtr routed =
        request->version == 0 && request->label.empty() ? inference_.route(request->model) : nullptr;
    inference_.submit(std::move(request), decoupled_refusal, std::move(routed));
  };
  // Models are loaded, and so their code runs, only when all members are there.
  out.change_model = [this](ModelChange change, std::function<void(Status)> done) {
    code_control_->change(std::move(change), std::move(done));
  };
  out.model_ready = [this](const std::string& model, int64_t version) {
    const auto route = version == 0 ? inference_.find_route(model) : nullptr;
    if (!route) return is_ready(catalog_.pin(model, version));
    const RouteTarget& target = route->main_arm().to;
    return is_ready(catalog_.pin(target.model, target.version, target.label));
  };
  return out;
}

Status Engine::load() {
  // What a later release has kept is for that release: better no start than one that forgets it.
  if (config_.keep_decisions) MM_RETURN_IF_ERROR(open_states(false).status());
  MM_RETURN_IF_ERROR(route_keeper_->restore());
  MM_ASSIGN_OR_RETURN(const DeclaredRoutes declared, read_declared_routes(config_.paths));
  if (const auto problems = check_wishes(declared); !problems.empty()) return status_of(problems.front());
  // Models take their time, and this is known at once.
  if (const DeclaredGraphs graphs = read_declared_graphs(config_.paths); !graphs.problems.empty())
    return status_of(graphs.problems.front());
  lifecycle_->set_device_budgets(declared.device_memory);
  ModelSources sources{config_.paths, config_.model_config_name, config_.model_config_file,
                       config_.batching_parameters_file};
  sources.parameters = config_.model_parameters;
  sources.own_batching = config_.own_batching;
  MM_RETURN_IF_ERROR(lifecycle_->load(sources));
  const auto table = catalog_.table();
  const auto entries = table->entries();
  // What is yet to be asked for, or tried again, may still be good.
  const bool any = std::any_of(entries.begin(), entries.end(), [](const ModelEntry* entry) {
    const auto loads = [](const VersionStatus& status) { return status.state == VersionState::kLoading; };
    return !entry->versions.empty() || entry->on_demand || entry->statuses.empty() ||
           std::any_of(entry->statuses.begin(), entry->statuses.end(), loads);
  });
  const std::string failed = failures(*table);
  if (config_.failed_models == FailedModels::kEnd && !failed.empty())
    return failed_precondition("not every model could be loaded" + failed);
  if (!any && config_.failed_models == FailedModels::kServeOthers)
    return failed_precondition("no model could be loaded" + failed);
  route_keeper_->look_over();
  MM_ASSIGN_OR_RETURN(std::vector<std::string> files, declare_routes());
  std::vector<std::string> places;
  MM_RETURN_IF_ERROR(declare_graphs(places));
  files.insert(files.end(), places.begin(), places.end());
  watch_routes(std::move(files));
  rollout_keeper_->begin_looking();
  experiment_keeper_->begin_looking();
  weight_keeper_->begin_looking();
  return ok_status();
}

Result<std::vector<std::string>> Engine::declare_routes() {
  MM_ASSIGN_OR_RETURN(const DeclaredRoutes declared, read_declared_routes(config_.paths));
  if (const auto problems = check_wishes(declared); !problems.empty()) return status_of(problems.front());
  lifecycle_->set_device_budgets(declared.device_memory);
  for (const YamlRoute& route : declared.routes) {
    const Status status = route_keeper_->declare(route.route, route.place);
    if (!status.ok()) return status.with_context(route.place);
  }
  MM_RETURN_IF_ERROR(rollout_keeper_->declare(declared.rollouts, declared.listing_files));
  MM_RETURN_IF_ERROR(experiment_keeper_->declare(declared.experiments, declared.listing_files));
  return declared.files;
}

Status Engine::declare_graphs(std::vector<std::string>& places) {
  DeclaredGraphs declared = read_declared_graphs(config_.paths);
  places = std::move(declared.places);
  const auto table = catalog_.table();
  check_graphs(declared, [this, &table](const std::string& name) {
    return table->find(name) != nullptr || routes_.find(name) != nullptr;
  });
  // First what waiting for models doesn't mend.
  const auto wrong = std::find_if(declared.problems.begin(), declared.problems.end(),
                                  [](const ConfigProblem& one) { return one.code != Code::kNotFound; });
  if (!declared.problems.empty()) {
    Status status = status_of(wrong != declared.problems.end() ? *wrong : declared.problems.front());
    for (const InferenceGraph& graph : declared.graphs)
      if (!graphs_.find(graph.name))
        declared.wrong.emplace(graph.name,
                               "graphs are taken all together, and another one is wrong: " + status.message());
    graphs_.refuse(std::move(declared.wrong));
    return status;
  }
  graphs_.publish(std::move(declared.graphs), metrics_);
  return ok_status();
}

FileWatcher::Next Engine::declare_again() {
  FileWatcher::Next next;
  auto files = declare_routes();
  tell_once("what a changed file declares beside models is not taken", files.status(), told_of_routes_);
  if (files.ok()) next.also = *std::move(files);
  std::vector<std::string> places;
  const Status status = declare_graphs(places);
  next.also.insert(next.also.end(), places.begin(), places.end());
  next.again = status.code() == Code::kNotFound;  // the models may be on their way
  tell_once("inference graphs of changed files are not taken; those from before are served on", status,
            told_of_graphs_);
  return next;
}

void Engine::watch_routes(std::vector<std::string> files) {
  const ControlMode mode = config_.control.mode;
  if (files.empty() || mode == ControlMode::kNone || mode == ControlMode::kExplicit) return;
  route_files_ = std::make_unique<FileWatcher>(std::move(files), [this] { return declare_again(); });
  route_files_->start();
}

void Engine::shutdown() {
  route_files_.reset();
  rollout_keeper_->stop();
  experiment_keeper_->stop();
  inference_.stop_shadows();
  lifecycle_->shutdown();
  weight_keeper_->stop();
  tracer_.stop();
}

}  // namespace modelmill
