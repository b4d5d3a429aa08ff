#include "backend/loaded_model.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <set>
#include <string_view>

#include "backend/host_table.h"
#include "base/log.h"

namespace modelmill {
namespace {

Result<TensorSpec> read_spec(const mm_tensor_spec& in) {
  if (in.name == nullptr || *in.name == '\0') return internal("it has no name");
  const std::string label = "'" + std::string(in.name) + "' ";
  TensorSpec out;
  out.name = in.name;
  if (in.dtype <= MM_DTYPE_INVALID || in.dtype > MM_BF16)
    return internal(label + "has the unknown type " + std::to_string(in.dtype));
  out.dtype = static_cast<DataType>(in.dtype);
  if (in.rank > kMaxRank)
    return internal(label + "has rank " + std::to_string(in.rank) + "; the limit is " + std::to_string(kMaxRank));
  if (in.rank > 0 && in.shape == nullptr) return internal(label + "has a rank but no shape");
  out.shape.assign(in.shape, in.shape + in.rank);
  for (int64_t size : out.shape)
    if (size < -1) return internal(label + "has shape " + shape_text(dims(out.shape)) + "; -1 stands for any size");
  if (in.symbols != nullptr && in.rank > 0)
    for (uint32_t i = 0; i < in.rank; ++i) out.symbols.emplace_back(in.symbols[i] != nullptr ? in.symbols[i] : "");
  out.optional = in.optional != 0;
  return out;
}

Status read_specs(const mm_tensor_spec* specs, uint32_t count, const char* what, std::vector<TensorSpec>* out) {
  if (count > 0 && specs == nullptr) return internal(std::string("it counts ") + what + "s but lists none");
  for (uint32_t i = 0; i < count; ++i) {
    auto spec = read_spec(specs[i]);
    if (!spec.ok()) return spec.status().with_context(std::string(what) + " " + std::to_string(i));
    for (const TensorSpec& other : *out)
      if (other.name == spec->name) return internal(std::string(what) + " '" + spec->name + "' is there twice");
    out->push_back(std::move(spec).value());
  }
  return ok_status();
}

mm_device_kind device_kind(InstanceGroup::Kind kind) {
  switch (kind) {
    case InstanceGroup::Kind::kGpu: return MM_DEVICE_GPU;
    case InstanceGroup::Kind::kModel: return MM_DEVICE_MODEL;
    case InstanceGroup::Kind::kCpu:
    case InstanceGroup::Kind::kAuto: break;
  }
  return MM_DEVICE_CPU;
}

}  // namespace

Result<std::unique_ptr<BackendModel>> LoadedModel::load(std::shared_ptr<Plugin> plugin, const BackendLoad& load,
                                                        const BackendServices& services) {
  std::unique_ptr<LoadedModel> model(new LoadedModel(std::move(plugin)));
  Plugin& p = *model->plugin_;
  mm_host_model& host = model->host_;
  host.backend = p.name();
  host.model = load.model;
  host.version = load.version;
  host.server = services.server;
  host.registry = services.metrics;
  host.metric_names = services.metric_names;

  mm_model_load_args args{};
  args.struct_size = sizeof args;
  args.host_model = &host;
  args.name = host.model.c_str();
  args.version = load.version;
  args.directory = load.directory.c_str();
  args.file = load.file.c_str();
  args.config_json = load.config_json.empty() ? "{}" : load.config_json.c_str();
  args.instance_threads = load.instance_threads > 0 ? static_cast<uint32_t>(load.instance_threads) : 0;
  args.precision = load.precision.c_str();
  args.machine_gpus = static_cast<uint32_t>(load.machine_gpus);
  args.placed = load.placed ? 1 : 0;
  const Status loaded = p.call([&] { return p.table().model_load(p.state(), &args); });
  if (!loaded.ok()) return loaded;
  if (args.model == nullptr) return internal(host.label() + ": model_load succeeded without a model");
  model->model_ = args.model;
  MM_RETURN_IF_ERROR(model->read_info().with_context(host.label() + " describes itself wrongly"));
  return std::unique_ptr<BackendModel>(std::move(model));
}

Status LoadedModel::read_info() {
  mm_model_info info{};
  info.struct_size = sizeof info;
  MM_RETURN_IF_ERROR(plugin_->call([&] { return plugin_->table().model_info(model_, &info); }));
  BackendModelInfo& out = host_.info;
  MM_RETURN_IF_ERROR(read_specs(info.inputs, info.input_count, "input", &out.signature.inputs));
  MM_RETURN_IF_ERROR(read_specs(info.outputs, info.output_count, "output", &out.signature.outputs));
  const auto has = [&](uint64_t capability) { return (info.capabilities & capability) != 0; };
  // Who may give many answers may have to wait for their reader, which a loop must not.
  out.inline_safe = has(MM_CAP_INLINE_SAFE) && !has(MM_CAP_DECOUPLED);
  out.concurrent_execute = has(MM_CAP_CONCURRENT_EXECUTE);
  out.stateful = has(MM_CAP_STATEFUL);
  out.ragged = has(MM_CAP_RAGGED);
  out.decoupled = has(MM_CAP_DECOUPLED);
  out.rows_independent = has(MM_CAP_ROWS_INDEPENDENT);
  out.no_trials = has(MM_CAP_NO_TRIALS);
  out.full_batches = has(MM_CAP_FULL_BATCHES);
  if (info.batching == MM_BATCHING_NONE) out.max_batch_size = 0;
  if (info.batching == MM_BATCHING_ROWS) out.max_batch_size = std::clamp<int64_t>(info.max_batch_size, 1, INT32_MAX);
  out.concurrency = static_cast<int>(std::min<uint32_t>(info.concurrency, 65'536));
  host_.output_shapes_unsure = has(MM_CAP_OUTPUT_SHAPES_UNSURE);
  out.memory_bytes = info.memory_bytes;
  out.recommended_instances = static_cast<int>(std::min<uint32_t>(info.recommended_instances, 4096));
  out.platform = info.platform != nullptr ? info.platform : "";
  return read_signatures(info);
}

Status LoadedModel::read_signatures(const mm_model_info& info) {
  BackendModelInfo& out = host_.info;
  if (info.signature != nullptr) out.signature_name = info.signature;
  if (info.signature_method != nullptr) out.signature_method = info.signature_method;
  if (info.other_signature_count == 0) return ok_status();
  if (info.other_signatures == nullptr || out.signature_name.empty())
    return internal("it counts other signatures but does not name them, and itself");
  std::set<std::string_view> names{out.signature_name};
  for (uint32_t i = 0; i < info.other_signature_count; ++i) {
    const char* const name = info.other_signatures[i];
    if (name == nullptr || *name == '\0') return internal("signature " + std::to_string(i) + " has no name");
    if (!names.insert(name).second) return internal("signature '" + std::string(name) + "' is there twice");
    out.other_signatures.emplace_back(name);
  }
  return ok_status();
}

Result<std::unique_ptr<BackendModel>> LoadedModel::open_signature(const std::string& name) {
  if (!MM_HAS(&plugin_->table(), model_signature) || plugin_->table().model_signature == nullptr)
    return internal(host_.label() + ": it has other signatures, and its backend does not open them");
  std::unique_ptr<LoadedModel> opened(new LoadedModel(plugin_));
  mm_host_model& host = opened->host_;
  host.backend = host_.backend;
  host.model = host_.model;
  host.version = host_.version;
  host.server = host_.server;
  host.registry = host_.registry;
  host.metric_names = host_.metric_names;
  mm_signature_args args{};
  args.struct_size = sizeof args;
  args.model = model_;
  args.name = name.c_str();
  args.host_model = &host;
  MM_RETURN_IF_ERROR(plugin_->call([&] { return plugin_->table().model_signature(&args); }));
  if (args.opened == nullptr) return internal(host.label() + ": model_signature succeeded without a model");
  opened->model_ = args.opened;
  MM_RETURN_IF_ERROR(opened->read_info().with_context(host.label() + " describes signature '" + name + "' wrongly"));
  return std::unique_ptr<BackendModel>(std::move(opened));
}

Status LoadedModel::availability() const {
  if (host_.available.load(std::memory_order_acquire)) return ok_status();
  const MutexLock lock(host_.mutex);
  return unavailable(host_.unavailable_reason);
}

ProcessHealth LoadedModel::process_health() const {
  const MutexLock lock(host_.mutex);
  return {host_.failures, host_.last_failure, host_.process_bytes};
}

LoadedModel::~LoadedModel() {
  if (model_ == nullptr) return;
  const Status status = plugin_->call([&]() -> mm_error* {
    plugin_->table().model_unload(model_);
    return nullptr;
  });
  if (!status.ok())
    Log::error("backend failed to unload a model", {{"model", host_.model}, {"error", status.to_string()}});
}

Result<std::unique_ptr<BackendInstance>> LoadedModel::create_instance(const std::string& name, InstanceGroup::Kind kind,
                                                                      int device_id) {
  mm_instance_args args{};
  args.struct_size = sizeof args;
  args.model = model_;
  args.name = name.c_str();
  args.kind = device_kind(kind);
  args.device_id = device_id;
  MutexLock lock(instances_);
  const Status status = plugin_->call([&] { return plugin_->table().instance_create(&args); });
  if (!status.ok()) return status.with_context("instance '" + name + "'");
  return std::unique_ptr<BackendInstance>(std::make_unique<LoadedInstance>(*this, args.instance));
}

std::optional<uint64_t> LoadedModel::memory_use(mm_instance* instance, int device) const {
  const mm_backend& table = plugin_->table();
  if (!MM_HAS(&table, memory_use) || table.memory_use == nullptr) return std::nullopt;
  mm_memory_use use{};
  use.struct_size = sizeof use;
  use.model = model_;
  use.instance = instance;
  use.kind = MM_DEVICE_GPU;
  use.device_id = device;
  const MutexLock lock(instances_);
  const Status status = plugin_->call([&] { return table.memory_use(&use); });
  if (!status.ok()) {
    Log::warning("backend failed to tell the memory of a model", {{"model", host_.model}, {"error", status.message()}});
    return std::nullopt;
  }
  return use.known != 0 ? std::optional(use.bytes) : std::nullopt;
}

LoadedInstance::~LoadedInstance() {
  {
    MutexLock lock(model_.instances_);
    const Status status = model_.plugin_->call([&]() -> mm_error* {
      model_.plugin_->table().instance_destroy(instance_);
      return nullptr;
    });
    if (!status.ok()) Log::error("backend failed to destroy an instance", {{"error", status.to_string()}});
  }
  delete spare_.load(std::memory_order_acquire);
}

void LoadedInstance::execute(std::vector<InferRequestPtr> requests, Done done) {
  if (requests.empty()) return done({});
  mm_execution* execution = spare_.exchange(nullptr, std::memory_order_acquire);
  if (execution == nullptr) execution = new mm_execution(this, &model_.host_);
  execution->begin(std::move(requests), std::move(done));

  mm_execute_args args{};
  args.struct_size = sizeof args;
  args.instance = instance_;
  args.execution = execution;
  args.requests = execution->handles();
  args.request_count = execution->size();
  const Status status = model_.plugin_->call([&] { return model_.plugin_->table().execute(&args); });
  if (!status.ok()) execution->refuse(status);
  execution->call_returned();
}

void LoadedInstance::recycle(mm_execution* execution) { delete spare_.exchange(execution, std::memory_order_acq_rel); }

}  // namespace modelmill
