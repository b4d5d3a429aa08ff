#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/process_health.h"
#include "base/result.h"
#include "model/definition.h"
#include "request/infer_request.h"

namespace modelmill {

/// What a loaded model said of itself.
struct BackendModelInfo {
  Signature signature;
  bool inline_safe = false;
  bool concurrent_execute = false;
  bool stateful = false;
  bool ragged = false;
  bool decoupled = false;
  bool rows_independent = false;
  bool no_trials = false;     // is not run with made-up inputs
  bool full_batches = false;  // runs as many rows as the configuration's max_batch_size only
  /// Rows of a batch, as the model itself says; 0: it has no batch dimension; nullopt: it doesn't say.
  std::optional<int64_t> max_batch_size;
  int concurrency = 0;  // executions at a time, with concurrent_execute; 0: one for each core
  uint64_t memory_bytes = 0;
  int recommended_instances = 0;
  std::string platform;
  /// The name of its entry point and what that is for; empty: it has none. And the names of its others.
  std::string signature_name, signature_method;
  std::vector<std::string> other_signatures;
};

/// How an execution went, told when its instance is free again.
struct ExecutionResult {
  TimePoint input_end{};  // default: the backend did not say
  TimePoint infer_end{};
};

/// One execution context of a model: runs one batch at a time (any number with concurrent_execute). Owned by the
/// scheduler; destroyed before its BackendModel, when nothing runs.
class BackendInstance {
 public:
  virtual ~BackendInstance() = default;
  using Done = std::function<void(const ExecutionResult&)>;

  /// Runs the requests as one batch. Each is completed by the backend's answer, or with an error; afterwards `done` is
  /// called, once, maybe on another thread, maybe before this returns. `requests` is moved from.
  virtual void execute(std::vector<InferRequestPtr> requests, Done done) = 0;

  /// Bytes that it holds of a GPU's memory; nullopt: the backend can't tell. Not while another instance of its model is
  /// made or goes.
  virtual std::optional<uint64_t> gpu_bytes(int device) const { return (void)device, std::nullopt; }

  /// Goes after it has gone: what is counted as its memory.
  void hold(std::shared_ptr<void> held) { held_ = std::move(held); }

 private:
  std::shared_ptr<void> held_;
};

/// A loaded model behind the wall. Thread-safe where the ABI says so. Destroying it unloads the model.
class BackendModel {
 public:
  virtual ~BackendModel() = default;
  virtual const BackendModelInfo& info() const = 0;
  /// OK, or why it can't be asked at the moment. Any thread.
  virtual Status availability() const { return ok_status(); }
  /// Any thread.
  virtual ProcessHealth process_health() const { return {}; }
  virtual Result<std::unique_ptr<BackendInstance>> create_instance(const std::string& name, InstanceGroup::Kind kind,
                                                                   int device_id) = 0;
  /// Bytes that it holds of a GPU's memory beside its instances; nullopt: the backend can't tell. Any thread.
  virtual std::optional<uint64_t> gpu_bytes(int device) const { return (void)device, std::nullopt; }
  /// One of its other signatures, a model of its own that may outlive this one. Not while another one is opened.
  virtual Result<std::unique_ptr<BackendModel>> open_signature(const std::string& name) {
    return not_found("it has no signature '" + name + "'");
  }

  /// Goes after it has gone, as an instance's does.
  void hold(std::shared_ptr<void> held) { held_ = std::move(held); }

 private:
  std::shared_ptr<void> held_;
};

}  // namespace modelmill
