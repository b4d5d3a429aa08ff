// The C++20 layer over modelmill/backend.h, header-only: derive a Model, name a Backend, and write MODELMILL_BACKEND.
// Exceptions are welcome inside; they become errors of the ABI before they reach the host.
//
//   class Twice : public modelmill::backend::Model { ... void execute(Execution& execution) override; };
//   struct TwiceBackend : modelmill::backend::BackendOf<Twice> {
//     static constexpr const char* kName = "twice";
//     static constexpr const char* kVersion = "1.0";
//   };
//   MODELMILL_BACKEND(TwiceBackend)
#ifndef MODELMILL_BACKEND_HPP_
#define MODELMILL_BACKEND_HPP_

#include <deque>
#include <map>
#include <mutex>
#include <optional>

#include "backend/batch.hpp"
#include "backend/config.hpp"
#include "backend/core.hpp"
#include "backend/json.hpp"
#include "backend/request.hpp"

namespace modelmill::backend {

/// What a model is loaded with.
struct ModelArgs {
  mm_host_model* host_model = nullptr;
  std::string name;
  int64_t version = 0;
  std::string directory;  // the version's folder, or empty
  std::string file;       // the model's file, or empty
  ModelConfig config;
  uint32_t instance_threads = 0;  // 0: as the backend likes
  std::string precision = {};     // what it is to be computed in, of RuntimeInfo::precisions; empty: as it says itself
  uint32_t machine_gpus = 0;      // that the host knows of
  bool placed = false;            // its configuration says on what kind of device its instances run
};

struct InstanceArgs {
  std::string name;
  mm_device_kind kind = MM_DEVICE_CPU;
  int32_t device_id = 0;
};

/// What a model says of itself.
struct ModelInfo {
  std::vector<TensorSpec> inputs, outputs;
  uint64_t capabilities = 0;  // MM_CAP_*
  uint64_t memory_bytes = 0;
  uint32_t recommended_instances = 0;
  std::string platform;
  mm_batching batching = MM_BATCHING_UNKNOWN;
  int64_t max_batch_size = 0;               // with MM_BATCHING_ROWS
  uint32_t concurrency = 0;                 // see mm_model_info
  std::string signature, signature_method;  // see mm_model_info
  std::vector<std::string> other_signatures;
};

/// A GPU's memory, as the device tells it.
struct DeviceMemory {
  uint64_t total_bytes = 0;  // 0: not known
  uint64_t free_bytes = 0;
  std::string uuid = {};  // empty: it has none
};

/// One execution context; runs one execution at a time unless its model claims MM_CAP_CONCURRENT_EXECUTE.
class Instance {
 public:
  virtual ~Instance() = default;
  /// Answers every request, or throws: then those without an answer fail with what was thrown. To answer later move the
  /// execution away.
  virtual void execute(Execution& execution) = 0;
  /// Bytes that it holds of a GPU's memory; nullopt: it can't tell. Maybe while it executes.
  virtual std::optional<uint64_t> gpu_bytes(int32_t device_id) const { return (void)device_id, std::nullopt; }
};

/// A loaded model.
class Model {
 public:
  virtual ~Model() = default;
  /// Asked once, after the constructor.
  virtual ModelInfo info() = 0;
  /// Instances without state of their own need not override this: they run Model::execute.
  virtual std::unique_ptr<Instance> create_instance(const InstanceArgs&) {
    struct Shared final : Instance {
      explicit Shared(Model& m) : model(m) {}
      void execute(Execution& execution) override { model.execute(execution); }
      Model& model;
    };
    return std::make_unique<Shared>(*this);
  }
  /// One of its other_signatures; may be used when this model is gone.
  virtual std::unique_ptr<Model> open_signature(const std::string& name, mm_host_model*) {
    throw Error(MM_NOT_FOUND, "the backend has no signature '" + name + "' of this model");
  }
  /// Bytes that it holds of a GPU's memory beside its instances; nullopt: it can't tell.
  virtual std::optional<uint64_t> gpu_bytes(int32_t device_id) const { return (void)device_id, std::nullopt; }
  /// From several instances at once: synchronise what changes.
  virtual void execute(Execution&) { throw Error(MM_INTERNAL, "the backend does not implement execute"); }
};

/// The vendor's runtime behind a backend, for `modelmill doctor`.
struct RuntimeInfo {
  bool available = true;
  std::string runtime, version, path, devices, problem, remedy;
  int gpu_count = -1;      // see mm_runtime_info
  std::string precisions;  // lower ones than models' own, that it can compute them in: "bf16,fp16"
};

/// The backend itself, made once.
class Backend {
 public:
  static constexpr const char* kDefaultFile = "";
  static constexpr const char* kFileExtensions = "";

  virtual ~Backend() = default;
  /// The operator's settings, and the folder of this library.
  virtual void initialize(const Json& settings, const std::string& library_dir) { (void)settings, (void)library_dir; }
  virtual RuntimeInfo runtime_info() { return {}; }
  /// Of one of the GPUs that runtime_info() counts. From any thread.
  virtual DeviceMemory device_memory(int32_t device_id) { return (void)device_id, DeviceMemory{}; }
  virtual std::unique_ptr<Model> load(const ModelArgs& args) = 0;
};

/// A backend whose models are all of class M, made from ModelArgs.
template <typename M>
class BackendOf : public Backend {
 public:
  std::unique_ptr<Model> load(const ModelArgs& args) override { return std::make_unique<M>(args); }
};

/// The functions behind a backend's table. Hidden, so that two plugins with classes of one name keep apart.
template <typename B>
class __attribute__((visibility("hidden"))) Wall {
 public:
  static const mm_backend* enter(const mm_host* table) {
    if (table == nullptr || table->abi_major != MM_ABI_MAJOR || !MM_HAS(table, output_forward)) return nullptr;
    host = table;
    static const mm_backend self = {
        sizeof(mm_backend), MM_ABI_MAJOR,      MM_ABI_MINOR,  B::kName,         B::kVersion,    B::kDefaultFile,
        B::kFileExtensions, &initialize,       &runtime_info, &model_load,      &model_info,    &model_unload,
        &instance_create,   &instance_destroy, &execute,      &model_signature, &device_memory, &memory_use};
    return &self;
  }

 private:
  struct State {
    B backend;
    std::mutex mutex;
    std::deque<RuntimeInfo> told;  // its text lives as long as the library
    std::map<int32_t, std::string> uuids;
  };
  struct Loaded {
    std::unique_ptr<Model> model;
    ModelInfo info;
    std::vector<mm_tensor_spec> inputs, outputs;
    std::deque<std::vector<const char*>> symbols;
    std::vector<const char*> other_signatures;

    explicit Loaded(std::unique_ptr<Model> made) : model(std::move(made)), info(model->info()) {
      describe(info.inputs, inputs);
      describe(info.outputs, outputs);
      for (const std::string& name : info.other_signatures) other_signatures.push_back(name.c_str());
    }

    void describe(const std::vector<TensorSpec>& specs, std::vector<mm_tensor_spec>& out) {
      for (const TensorSpec& spec : specs) {
        mm_tensor_spec s{};
        s.struct_size = sizeof s;
        s.name = spec.name.c_str();
        s.dtype = spec.dtype;
        s.rank = static_cast<uint32_t>(spec.shape.size());
        s.shape = spec.shape.data();
        s.optional = spec.optional;
        if (spec.symbols.size() == spec.shape.size()) {
          auto& names = symbols.emplace_back();
          for (const std::string& symbol : spec.symbols) names.push_back(symbol.empty() ? nullptr : symbol.c_str());
          s.symbols = names.data();
        }
        out.push_back(s);
      }
    }
  };

  static mm_error* initialize(mm_initialize_args* args) {
    return guard([&] {
      auto state = std::make_unique<State>();
      state->backend.initialize(Json::parse(args->config_json), args->library_dir);
      // Kept for good, like the library: answers may need the backend after everything else has gone.
      static std::mutex mutex;
      static auto* const kept = new std::vector<std::unique_ptr<State>>;
      const std::lock_guard lock(mutex);
      args->state = reinterpret_cast<mm_backend_state*>(kept->emplace_back(std::move(state)).get());
    });
  }
  static void runtime_info(mm_backend_state* opaque, mm_runtime_info* out) {
    auto* state = reinterpret_cast<State*>(opaque);
    out->runtime = out->version = out->path = out->devices = out->problem = out->remedy = "";
    out->available = state != nullptr;
    if (state == nullptr) return;
    mm_error* error = guard([&] {
      RuntimeInfo info = state->backend.runtime_info();
      const std::lock_guard lock(state->mutex);
      const RuntimeInfo& kept = state->told.emplace_back(std::move(info));
      out->available = kept.available;
      out->runtime = kept.runtime.c_str();
      out->version = kept.version.c_str();
      out->path = kept.path.c_str();
      out->devices = kept.devices.c_str();
      out->problem = kept.problem.c_str();
      out->remedy = kept.remedy.c_str();
      if (MM_HAS(out, gpu_count)) out->gpu_count = kept.gpu_count;
      if (MM_HAS(out, precisions)) out->precisions = kept.precisions.c_str();
    });
    if (error == nullptr) return;
    out->available = 0;
    out->problem = "the backend failed to describe its runtime";
    host->error_free(error);
  }
  static mm_error* model_load(mm_backend_state* state, mm_model_load_args* args) {
    return guard([&] {
      ModelArgs in{args->host_model,      args->name, args->version,
                   args->directory,       args->file, ModelConfig(args->config_json),
                   args->instance_threads};
      if (MM_HAS(args, precision) && args->precision != nullptr) in.precision = args->precision;
      if (MM_HAS(args, machine_gpus)) in.machine_gpus = args->machine_gpus;
      if (MM_HAS(args, placed)) in.placed = args->placed != 0;
      auto loaded = std::make_unique<Loaded>(reinterpret_cast<State*>(state)->backend.load(in));
      args->model = reinterpret_cast<mm_model*>(loaded.release());
    });
  }
  static mm_error* model_signature(mm_signature_args* args) {
    return guard([&] {
      Model& model = *reinterpret_cast<Loaded*>(args->model)->model;
      auto opened = std::make_unique<Loaded>(model.open_signature(args->name, args->host_model));
      args->opened = reinterpret_cast<mm_model*>(opened.release());
    });
  }
  static mm_error* model_info(mm_model* model, mm_model_info* out) {
    const auto& loaded = *reinterpret_cast<Loaded*>(model);
    out->inputs = loaded.inputs.data();
    out->input_count = static_cast<uint32_t>(loaded.inputs.size());
    out->outputs = loaded.outputs.data();
    out->output_count = static_cast<uint32_t>(loaded.outputs.size());
    out->capabilities = loaded.info.capabilities;
    out->memory_bytes = loaded.info.memory_bytes;
    out->recommended_instances = loaded.info.recommended_instances;
    out->platform = loaded.info.platform.c_str();
    if (!MM_HAS(out, concurrency)) return nullptr;
    out->batching = loaded.info.batching;
    out->max_batch_size = loaded.info.max_batch_size;
    out->concurrency = loaded.info.concurrency;
    if (!MM_HAS(out, other_signature_count)) return nullptr;
    out->signature = loaded.info.signature.c_str();
    out->signature_method = loaded.info.signature_method.c_str();
    out->other_signatures = loaded.other_signatures.data();
    out->other_signature_count = static_cast<uint32_t>(loaded.other_signatures.size());
    return nullptr;
  }
  static void model_unload(mm_model* model) { delete reinterpret_cast<Loaded*>(model); }
  static mm_error* instance_create(mm_instance_args* args) {
    return guard([&] {
      const InstanceArgs in{args->name, args->kind, args->device_id};
      auto instance = reinterpret_cast<Loaded*>(args->model)->model->create_instance(in);
      args->instance = reinterpret_cast<mm_instance*>(instance.release());
    });
  }
  static void instance_destroy(mm_instance* instance) { delete reinterpret_cast<Instance*>(instance); }
  static mm_error* device_memory(mm_backend_state* opaque, mm_device_memory* out) {
    return guard([&] {
      auto& state = *reinterpret_cast<State*>(opaque);
      if (out->kind != MM_DEVICE_GPU) return;
      const DeviceMemory memory = state.backend.device_memory(out->device_id);
      out->total_bytes = memory.total_bytes;
      out->free_bytes = memory.free_bytes;
      if (memory.uuid.empty()) return;
      const std::lock_guard lock(state.mutex);
      out->uuid = state.uuids.emplace(out->device_id, memory.uuid).first->second.c_str();
    });
  }
  static mm_error* memory_use(mm_memory_use* out) {
    return guard([&] {
      if (out->kind != MM_DEVICE_GPU) return;
      const auto bytes = out->instance != nullptr
                             ? reinterpret_cast<Instance*>(out->instance)->gpu_bytes(out->device_id)
                             : reinterpret_cast<Loaded*>(out->model)->model->gpu_bytes(out->device_id);
      out->known = bytes.has_value();
      out->bytes = bytes.value_or(0);
    });
  }
  static mm_error* execute(mm_execute_args* args) {
    // Once the execution exists every error is an answer to its requests.
    return guard([&] {
      Execution execution(*args);
      try {
        reinterpret_cast<Instance*>(args->instance)->execute(execution);
      } catch (...) {
        execution.fail_rest();
      }
    });
  }
};

}  // namespace modelmill::backend

/// Makes the library's one exported function from a class derived from Backend with kName and kVersion.
#define MODELMILL_BACKEND(Class)                                                  \
  extern "C" MM_EXPORT const mm_backend* mm_backend_entry(const mm_host* table) { \
    return ::modelmill::backend::Wall<Class>::enter(table);                       \
  }

#endif  // MODELMILL_BACKEND_HPP_
