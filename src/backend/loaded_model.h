#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "backend/backend_model.h"
#include "backend/backend_registry.h"
#include "backend/handles.h"
#include "backend/plugin.h"
#include "backend/server_functions.h"

namespace modelmill {

/// What the models of one registry share with it.
struct BackendServices {
  MetricRegistry* metrics = nullptr;
  BackendMetricNames* metric_names = nullptr;
  ServerFunctions server = {};
};

/// A model inside a plugin.
class LoadedModel final : public BackendModel {
 public:
  static Result<std::unique_ptr<BackendModel>> load(std::shared_ptr<Plugin> plugin, const BackendLoad& load,
                                                    const BackendServices& services);
  ~LoadedModel() override;

  const BackendModelInfo& info() const override { return host_.info; }
  Status availability() const override;
  ProcessHealth process_health() const override;
  Result<std::unique_ptr<BackendInstance>> create_instance(const std::string& name, InstanceGroup::Kind kind,
                                                           int device_id) override;
  Result<std::unique_ptr<BackendModel>> open_signature(const std::string& name) override;
  std::optional<uint64_t> gpu_bytes(int device) const override { return memory_use(nullptr, device); }

 private:
  friend class LoadedInstance;
  explicit LoadedModel(std::shared_ptr<Plugin> plugin) : plugin_(std::move(plugin)) {}
  /// Of the instance; null: of the model itself.
  std::optional<uint64_t> memory_use(mm_instance* instance, int device) const;
  Status read_info();
  Status read_signatures(const mm_model_info& info);

  const std::shared_ptr<Plugin> plugin_;
  mm_host_model host_;
  mm_model* model_ = nullptr;
  mutable Mutex instances_;  // what is done to them, and asked of their memory, is so one after another
};

/// An instance inside a plugin, with the execution object that it uses again and again.
class LoadedInstance final : public BackendInstance {
 public:
  LoadedInstance(LoadedModel& model, mm_instance* instance) : model_(model), instance_(instance) {}
  ~LoadedInstance() override;

  void execute(std::vector<InferRequestPtr> requests, Done done) override;
  std::optional<uint64_t> gpu_bytes(int device) const override { return model_.memory_use(instance_, device); }
  /// Takes an execution back that nobody holds any more.
  void recycle(mm_execution* execution);

 private:
  LoadedModel& model_;
  mm_instance* const instance_;
  std::atomic<mm_execution*> spare_{nullptr};
};

}  // namespace modelmill
