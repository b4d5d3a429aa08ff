#include "lifecycle/version_loader.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <utility>

#include "base/log.h"
#include "catalog/shape_class.h"
#include "lifecycle/answer_rules.h"
#include "lifecycle/batch_dims.h"
#include "lifecycle/batching_probe.h"
#include "lifecycle/code_trust.h"
#include "lifecycle/cost_measure.h"
#include "lifecycle/cost_store.h"
#include "lifecycle/device_claims.h"
#include "lifecycle/direct_run.h"
#include "lifecycle/gpu_models.h"
#include "lifecycle/instance_kinds.h"
#include "lifecycle/instance_loading.h"
#include "lifecycle/instance_places.h"
#include "lifecycle/model_parameters.h"
#include "lifecycle/sample_inputs.h"
#include "lifecycle/signature_merge.h"
#include "lifecycle/version_warmup.h"
#include "lifecycle/weight_pages.h"
#include "model/triton_config.h"
#include "repository/fil_backend.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr uint64_t kMeasureSeed = 11;

/// The loading of one version, step by step. Each step adds to what the next one needs.
class Loading {
 public:
  Loading(const FoundModel& found, const FoundVersion& version, ModelDefinition definition,
          const BackendSource& backends, const LoadSettings& settings, const LoadQuestions& ask)
      : found_(found),
        version_(version),
        given_(definition),
        definition_(std::move(definition)),
        backends_(backends),
        settings_(settings),
        ask_(ask) {}

  Result<LoadedVersion> run(std::span<const ModelFormat> formats) {
    MM_RETURN_IF_ERROR(check_given());
    MM_RETURN_IF_ERROR(find_backend(formats));
    MM_RETURN_IF_ERROR(choose_instance_kinds(definition_, settings_.gpus, backend_.gpu_count));
    MM_RETURN_IF_ERROR(check_wanted());
    MM_RETURN_IF_ERROR(load_model());
    MM_ASSIGN_OR_RETURN(LoadedVersion loaded, make_ready());
    MM_ASSIGN_OR_RETURN(loaded.other_signatures, load_other_signatures(*loaded.model));
    return loaded;
  }

 private:
  /// From the loaded model on.
  Result<LoadedVersion> make_ready() {
    MM_RETURN_IF_ERROR(check_wanted());
    MM_RETURN_IF_ERROR(merge());
    MM_RETURN_IF_ERROR(choose_limits());
    MM_RETURN_IF_ERROR(claim_devices());
    InstanceLoading making(definition_, *model_, plan_, settings_, *claims_);
    MM_RETURN_IF_ERROR(making.place());
    MM_RETURN_IF_ERROR(making.make_first(instances_));
    MM_ASSIGN_OR_RETURN(definition_.batching.objective_p99, objective_of(definition_, settings_));
    MM_ASSIGN_OR_RETURN(definition_.batching.allowed_sizes, allowed_sizes_of(definition_));
    if (const int64_t rows = definition_.max_batch_size.value_or(0); model_->info().full_batches && rows > 0)
      definition_.batching.allowed_sizes = {rows};
    MM_RETURN_IF_ERROR(check_wanted());
    decide_batching();
    MM_RETURN_IF_ERROR(making.make_others(instances_, [this] { return check_wanted(); }));
    MM_RETURN_IF_ERROR(warm_up());
    MM_RETURN_IF_ERROR(claims_->recount(*model_));
    MM_RETURN_IF_ERROR(check_wanted());
    if (!is_other_signature_) put_weights_in_huge_pages(definition_.name, model_->info().memory_bytes);
    remember_or_measure();
    claims_->loaded();
    model_->hold(claims_);
    plan_.device_uses = [claims = claims_] { return claims->uses(); };
    if (!model_->info().concurrent_execute && !model_->info().stateful)
      plan_.make_instance = instance_maker({definition_, signature_, version_.version, plan_.has_batch_dimension,
                                            plan_.max_batch_rows, open_size_, making.planned(), claims_});
    MM_ASSIGN_OR_RETURN(auto labels,
                        read_labels(definition_, found_.directory.empty() ? version_.directory : found_.directory));
    const BackendModelInfo& info = model_->info();
    return LoadedVersion{{std::move(definition_), std::move(signature_), version_.version, std::move(labels),
                          info.signature_name, info.signature_method, is_other_signature_},
                         std::move(plan_),
                         std::move(model_),
                         std::move(instances_),
                         std::move(cost_key_),
                         std::move(batching_),
                         open_size_,
                         backend_.runtime,
                         warmed_up_in_,
                         {}};
  }

  /// Those that can be served: what stands in the way of another one is told, and does not keep the model from serving.
  Result<std::vector<LoadedVersion>> load_other_signatures(BackendModel& model) {
    std::vector<LoadedVersion> out;
    for (const std::string& name : model.info().other_signatures) {
      Loading other(found_, version_, given_, backends_, settings_, ask_);
      auto loaded = other.run_signature(*this, model, name);
      MM_RETURN_IF_ERROR(check_wanted());
      if (loaded.ok())
        out.push_back(std::move(loaded).value());
      else
        Log::warning("a signature of the model is not served", {{"model", given_.name},
                                                                {"version", version_.version},
                                                                {"signature", name},
                                                                {"reason", loaded.status().message()}});
    }
    return out;
  }

  /// Of the configuration, inputs, outputs and number of instances are the first entry point's own; a batch size holds
  /// where there is a batch dimension.
  Result<LoadedVersion> run_signature(const Loading& first, BackendModel& model, const std::string& name) {
    backend_ = first.backend_;
    file_ = first.file_;
    is_other_signature_ = true;
    definition_.backend = backend_.name;
    definition_.inputs.clear();
    definition_.outputs.clear();
    MM_RETURN_IF_ERROR(choose_instance_kinds(definition_, settings_.gpus, backend_.gpu_count));
    MM_ASSIGN_OR_RETURN(model_, model.open_signature(name));
    if (definition_.max_batch_size && !is_open_first(model_->info().signature)) definition_.max_batch_size = 0;
    return make_ready();
  }

  std::string plugin_directory() const { return found_.untrusted ? "" : found_.directory; }
  std::string what() const { return "model '" + definition_.name + "': "; }

  Status check_wanted() const {
    if (!ask_.abandoned || !ask_.abandoned()) return ok_status();
    return cancelled(what() + "the load was abandoned: it is not wanted any more");
  }

  /// With auto-completion off everything that could be found out must be written down.
  Status check_given() {
    if (settings_.auto_complete_config) return ok_status();
    const bool configured = !found_.config_file.empty() || !found_.layers.empty();
    const char* missing = !configured                   ? "a config.pbtxt"
                          : definition_.backend.empty() ? "'platform' or 'backend'"
                          : definition_.inputs.empty()  ? "'input'"
                          : definition_.outputs.empty() ? "'output'"
                                                        : nullptr;
    if (missing != nullptr)
      return invalid_argument(what() + "must specify " + missing + ", because completing configurations is turned off");
    if (!definition_.max_batch_size) {
      definition_.max_batch_size = 0;
      definition_.batching.mode = BatchingDefinition::Mode::kDisabled;
    }
    return ok_status();
  }

  Status find_backend(std::span<const ModelFormat> formats) {
    MM_ASSIGN_OR_RETURN(definition_.backend, infer_backend(definition_, version_, formats));
    MM_ASSIGN_OR_RETURN(const BackendPlugin plugin, plugin_of(definition_, version_, formats));
    MM_RETURN_IF_ERROR(check_code_trust(found_, version_, plugin.backend, settings_));
    MM_ASSIGN_OR_RETURN(backend_, backends_.find(plugin.backend, plugin_directory()));
    ModelFormat format = format_of(backend_);
    if (!plugin.default_file.empty()) format.default_file = plugin.default_file;
    MM_RETURN_IF_ERROR(check_native_parameters(found_, definition_));
    MM_ASSIGN_OR_RETURN(file_, find_model_file(definition_, version_, format));
    if (!settings_.precision_file.empty()) file_ = settings_.precision_file;
    return check_native_code(found_, plugin.backend == "pytorch" ? file_ : std::string());
  }

  Status load_model() {
    if (!file_.empty())
      definition_.default_model_filename = std::filesystem::path(file_).lexically_relative(version_.directory).string();
    BackendLoad load;
    load.model = definition_.name;
    load.version = version_.version;
    load.directory = version_.directory;
    load.file = file_;
    load.config_json = triton_config_json(complete_triton_config(definition_, {}));
    load.instance_threads = threads_of_instance(definition_, settings_);
    if (settings_.precision_file.empty()) load.precision = settings_.precision;
    load.machine_gpus = static_cast<int>(settings_.gpus.size());
    load.placed = says_where(given_);
    MM_ASSIGN_OR_RETURN(model_, backends_.load(backend_.name, load, plugin_directory()));
    if (definition_.platform.empty()) definition_.platform = model_->info().platform;
    return ok_status();
  }

  Status merge() {
    const BackendModelInfo& info = model_->info();
    MM_ASSIGN_OR_RETURN(MergedSignature merged, merge_signature(definition_, info));
    signature_ = std::move(merged.signature);
    plan_.has_batch_dimension = merged.batch_declared;
    MM_RETURN_IF_ERROR(settle_answers(definition_, info));
    const bool ragged =
        std::any_of(definition_.inputs.begin(), definition_.inputs.end(), [](const auto& t) { return t.allow_ragged; });
    if (ragged && !info.ragged)
      return unimplemented(what() + "backend '" + definition_.backend +
                           "' can't batch inputs of unequal shapes; remove allow_ragged_batch");
    plan_.ragged = info.ragged && (definition_.inputs.empty() || ragged);
    plan_.inline_safe = info.inline_safe;
    plan_.concurrent_execute = info.concurrent_execute;
    plan_.concurrency = info.concurrency;
    plan_.cost_aware = true;
    return ok_status();
  }

  std::function<DeviceMemory::Told()> teller_of(int gpu) const {
    if (!backends_.device_memory) return nullptr;
    return [ask = backends_.device_memory, backend = backend_.name, directory = plugin_directory(), gpu] {
      return ask(backend, gpu, directory);
    };
  }

  /// From here on what is made on GPUs is counted.
  Status claim_devices() {
    DeviceClaims::Terms terms{settings_.devices, {definition_.name, version_.version}, 0, is_other_signature_};
    for (const int gpu : gpus_of(definition_, settings_.gpus, backend_.gpu_count))
      if (settings_.devices) settings_.devices->meet(gpu, teller_of(gpu));
    if (!is_other_signature_) {
      MM_ASSIGN_OR_RETURN(terms.declared, instance_memory_of(definition_));
    }
    claims_ = std::make_shared<DeviceClaims>(std::move(terms));
    claims_->loading(settings_.make_room, [this] { return check_wanted(); });
    return ok_status();
  }

  Status choose_limits() {
    if (is_other_signature_) return ok_status();                                           // their number is fixed
    if (model_->info().concurrent_execute || model_->info().stateful) return ok_status();  // one instance runs it all
    MM_ASSIGN_OR_RETURN(plan_.instance_limits, limits_of(definition_, settings_));
    if (plan_.instance_limits.fixed()) return ok_status();
    if (definition_.instance_groups.empty())
      definition_.instance_groups.push_back({definition_.name + "_0", InstanceGroup::Kind::kCpu, 0, {}});
    definition_.instance_groups.resize(1);
    definition_.instance_groups.front().count = std::max(1, plan_.instance_limits.min);
    return ok_status();
  }

  void decide_batching() {
    BatchingDefinition& batching = definition_.batching;
    if (!definition_.max_batch_size) {
      const bool reshaped = !plan_.has_batch_dimension && has_reshape(definition_);
      batching_ = settings_.batching ? *settings_.batching
                                     : try_batching(signature_, model_->info(), reshaped, runner(*instances_.front()));
      take_decision();
    } else if (*definition_.max_batch_size > 0) {
      // The author promised a batch dimension, so requests that wait together run together, without waiting for it.
      batching.mode = BatchingDefinition::Mode::kDynamic;
    }
    batching.max_batch_size = *definition_.max_batch_size;
    plan_.max_batch_rows = std::max<int64_t>(batching.max_batch_size, 1);
    plan_.batching = batching;
  }

  void take_decision() {
    open_size_ = batching_->open_size;
    if (!batching_->why_not.empty()) return stay_unbatched(batching_->why_not);
    if (!plan_.has_batch_dimension) leave_batch_out_of_dims(definition_);
    plan_.has_batch_dimension = true;
    int64_t rows = batching_->rows;
    for (const int64_t preferred : definition_.batching.preferred_sizes) rows = std::max(rows, preferred);
    definition_.max_batch_size = rows;
  }

  void stay_unbatched(const std::string& reason) {
    definition_.unbatched_reason = reason;
    // Setting it helps only where every tensor has room for a batch.
    if (!signature_.open && is_open_first(signature_))
      definition_.unbatched_reason += "; set max_batch_size in config.pbtxt if its rows are independent";
    definition_.max_batch_size = plan_.has_batch_dimension ? 1 : 0;
    if (!plan_.has_batch_dimension) definition_.batching.mode = BatchingDefinition::Mode::kDisabled;
  }

  BatchRunner runner(BackendInstance& instance) const {
    return [this, &instance](const std::vector<DirectRequest>& requests) {
      return run_directly(instance, definition_.name, version_.version, requests);
    };
  }

  Status warm_up() {
    MM_ASSIGN_OR_RETURN(const WarmupOutcome outcome,
                        warm_up_entry({definition_, signature_, *model_, version_.version, file_, found_.directory,
                                       plan_.has_batch_dimension, plan_.max_batch_rows},
                                      settings_, instances_, open_size_, [this] { return check_wanted(); }));
    open_size_ = outcome.open_size;
    warmed_up_in_ = outcome.own;
    return ok_status();
  }

  /// What costs on its GPUs depend on.
  std::vector<std::string> gpu_kinds() const {
    const std::vector<int> gpus = gpus_of(definition_, settings_.gpus, backend_.gpu_count);
    if (gpus.empty()) return {};
    std::vector<std::string> out = settings_.gpu_models;
    for (const int gpu : gpus)
      if (const auto tell = teller_of(gpu)) out.push_back(gpu_size(tell()));
    return out;
  }

  void remember_or_measure() {
    const CostStore store(settings_.cost_directory);
    if (store.keeps()) {
      const int threads = threads_of_instance(definition_, settings_);
      CostSubject subject{{}, definition_.backend, backend_.runtime, plan_.max_batch_rows, threads, {}, gpu_kinds()};
      if (!file_.empty()) subject.files.push_back(file_);
      for (const auto& [name, value] : definition_.parameters) subject.config += name + '=' + value + '\n';
      if (!settings_.precision.empty()) subject.config += "precision " + settings_.precision + '\n';
      if (is_other_signature_) subject.config += "signature " + model_->info().signature_name + '\n';
      cost_key_ = cost_key(subject);
      plan_.costs = store.read(cost_key_);
    }
    if (plan_.costs.empty()) return guess();
    Log::info("what executions cost is known from before", {{"model", definition_.name}});
  }

  /// A first guess at the costs: those of the version before, which traffic has taught, and else a measurement, which
  /// at a swap would take the machine from that traffic.
  void guess() {
    if (ask_.costs_before) plan_.costs = ask_.costs_before(definition_, signature_, model_->info().signature_name);
    if (plan_.costs.empty()) measure();
  }

  /// What batches cost, of made-up rows: a first guess, before there is traffic. Of dimensions that have any size it is
  /// for the one that worked, and counts for that shape class.
  void measure() {
    const bool whole = std::none_of(signature_.inputs.begin(), signature_.inputs.end(),
                                    [](const TensorSpec& spec) { return spec.optional || spec.shape.empty(); });
    if (plan_.max_batch_rows <= 1 || !whole || !open_size_ || model_->info().stateful || definition_.decoupled) return;
    std::mt19937_64 random(kMeasureSeed);
    auto inputs = sample_inputs(signature_, true, 1, *open_size_, ValueRange::kTame, 0, random);
    if (!inputs) return;
    LearnedCost cost{plan_.places.front().kind, 0, "", {}};
    if (!plan_.ragged && !has_one_shape_class(signature_)) {
      InferRequest row(nullptr);
      row.inputs.assign(inputs->begin(), inputs->end());
      cost.shape_class = shape_class_hash(row);
      cost.shapes = shape_class_text(row);
    }
    cost.points = measure_costs(*instances_.front(), definition_.name, version_.version, {*std::move(inputs), 1},
                                sizes_to_measure(plan_.max_batch_rows, definition_.batching.allowed_sizes),
                                settings_.measure_budget, TimeSource::steady());
    if (!cost.points.empty()) plan_.costs.push_back(std::move(cost));
  }

  const FoundModel& found_;
  const FoundVersion& version_;
  const ModelDefinition given_;
  ModelDefinition definition_;
  const BackendSource& backends_;
  const LoadSettings& settings_;
  const LoadQuestions& ask_;

  Signature signature_;
  VersionPlan plan_;
  std::optional<BatchingDecision> batching_;
  std::optional<int64_t> open_size_;
  BackendRegistry::Description backend_;
  std::string file_;
  std::string cost_key_;
  std::optional<Duration> warmed_up_in_;
  bool is_other_signature_ = false;
  std::shared_ptr<DeviceClaims> claims_;
  std::unique_ptr<BackendModel> model_;  // before the instances, so that it goes after them
  std::vector<std::unique_ptr<BackendInstance>> instances_;
};

}  // namespace

Result<LoadedVersion> load_version(const FoundModel& found, const FoundVersion& version, ModelDefinition definition,
                                   std::span<const ModelFormat> formats, const BackendSource& backends,
                                   const LoadSettings& settings, const LoadQuestions& ask) {
  return Loading(found, version, std::move(definition), backends, settings, ask).run(formats);
}

}  // namespace modelmill
