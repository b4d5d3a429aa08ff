#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "catalog/model_control.h"
#include "dialect/torchserve/answers.h"

namespace modelmill::torchserve {

/// What a client asks to be registered. What TorchServe's processes alone have (handler, runtime) is not among it.
struct Registration {
  std::string url;
  std::string model_name = {};
  std::optional<int64_t> batch_size = {};
  std::optional<int64_t> max_batch_delay_ms = {};
  std::optional<int64_t> initial_workers = {};  // nullopt or below 0: it doesn't say
  bool synchronous = true;
  /// Seconds that a handler may take to answer and to start; nullopt or below 1: as it says itself.
  std::optional<int64_t> response_timeout_s = {};
  std::optional<int64_t> startup_timeout_s = {};
};

struct WorkerScaling {
  std::string model;
  std::string version = {};  // as the client writes it; empty: the default one
  int64_t min = 1;
  int64_t max = 1;
  bool synchronous = false;
};

/// What TorchServe's management answers, for both protocols: JSON, or a sentence. Both arguments must outlive the wire.
/// Thread-safe.
class Management {
 public:
  /// How an operation ended: a status of HTTP with a sentence, or what went wrong.
  struct Outcome {
    int status = 200;
    std::string text = {};
    std::optional<Failure> failure = {};
  };
  /// Called once, on any thread.
  using Done = std::function<void(Outcome)>;

  /// `usual_workers`: of what is registered without a number, 0 being none, as TorchServe has it; nullopt: such a model
  /// has what it would have anyway.
  Management(const Catalog& catalog, ModelControl& control, std::optional<int> usual_workers = std::nullopt)
      : catalog_(catalog), control_(control), usual_workers_(usual_workers) {}

  /// {"nextPageToken": ..., "models": [...]} of those that are served, by name. `limit` and `page` below their range
  /// are what TorchServe takes for them.
  std::string list(int64_t limit, int64_t page) const;
  /// A list of one; of all versions for "all".
  Result<std::string> describe(const std::string& model, std::string_view version) const;

  void register_model(const Registration& registration, Done done) const;
  void scale(const WorkerScaling& scaling, Done done) const;
  void unregister(const std::string& model, const std::string& version, Done done) const;
  void set_default(const std::string& model, const std::string& version, Done done) const;

 private:
  /// `workers` below 0: it has what it would have anyway.
  void give_workers(const AddedModel& added, int workers, const Done& done) const;

  const Catalog& catalog_;
  ModelControl& control_;
  std::optional<int> usual_workers_;
};

}  // namespace modelmill::torchserve
