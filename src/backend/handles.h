#pragma once

#include <atomic>
#include <boost/container/small_vector.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "backend/server_functions.h"
#include "backend/string_tensor.h"
#include "base/mutex.h"
#include "modelmill/backend.h"
#include "runtime/metrics.h"

// The objects behind the ABI's opaque handles. They are the host's alone; a backend only passes their addresses back.

namespace modelmill {

class LoadedInstance;
class BackendMetricNames;

}  // namespace modelmill

struct mm_error {
  modelmill::Status status;
};

/// One series of a backend's own; without a registry it counts nothing.
struct mm_metric {
  std::shared_ptr<modelmill::Counter> counter;
  std::shared_ptr<modelmill::Gauge> gauge;
  std::shared_ptr<modelmill::Histogram> histogram;
};

/// A loaded model as the host knows it. Immutable once the model is loaded, but for the
/// metrics and whether it is available. Owned by its
/// LoadedModel, which outlives all executions.
struct mm_host_model {
  std::string backend;
  std::string model;
  int64_t version = 0;
  modelmill::BackendModelInfo info;
  bool output_shapes_unsure = false;
  modelmill::ServerFunctions server;

  modelmill::MetricRegistry* registry = nullptr;          // may be null
  modelmill::BackendMetricNames* metric_names = nullptr;  // shared by all models of the registry; never null
  mutable modelmill::Mutex mutex;
  std::vector<std::unique_ptr<mm_metric>> metrics MM_GUARDED_BY(mutex);
  std::atomic<bool> available{true};
  std::string unavailable_reason MM_GUARDED_BY(mutex);
  uint64_t failures MM_GUARDED_BY(mutex) = 0;  // of processes that ran it
  std::string last_failure MM_GUARDED_BY(mutex);
  uint64_t process_bytes MM_GUARDED_BY(mutex) = 0;  // of the largest
  std::shared_ptr<modelmill::Counter> failures_counter MM_GUARDED_BY(mutex);
  std::shared_ptr<modelmill::Gauge> process_bytes_gauge MM_GUARDED_BY(mutex);

  /// "backend 'x', model 'm' version 1": how messages name the culprit.
  std::string label() const;
};

/// A call of another model, for whoever made it and may no longer want it.
struct mm_call {
  std::shared_ptr<modelmill::CancelToken> cancel;
};

/// An answer in the making. Belongs to its request and is used again after it was sent.
struct mm_response {
  mm_request* request = nullptr;
  /// True from response_new to response_send.
  std::atomic<bool> open{false};
  modelmill::InferResponse answer;
  /// The first thing that was wrong with it; the response then fails.
  modelmill::Status broken;

  void clear();
  /// Its request has ended: drops what was put into it and not sent.
  void abandon() {
    if (open.exchange(false, std::memory_order_acq_rel)) clear();
  }
};

/// One request of an execution. Lives in the execution's array, so that calls after the final response find a request
/// that has ended and do no harm while the execution lasts.
struct mm_request {
  enum class Phase : uint8_t { kEnded, kOpen, kSending };

  mm_execution* execution = nullptr;
  modelmill::InferRequestPtr request;  // null once ended
  // Of the request, for request_cancelled and call_model, which may be asked while another thread ends it.
  std::string id;
  uint64_t priority = 0;
  std::shared_ptr<modelmill::CancelToken> cancel;
  modelmill::TimePoint deadline = modelmill::kNever;
  modelmill::TraceContext trace;
  std::string traceparent;  // of a trace that is present
  std::atomic<Phase> phase{Phase::kEnded};

  void open(mm_execution* owner, modelmill::InferRequestPtr r);
  /// Claims the right to answer; waits for an answer that another thread is sending. False once the request has ended.
  bool begin_send();
  /// After begin_send: more answers may follow.
  void keep_open() { phase.store(Phase::kOpen, std::memory_order_release); }
  /// After begin_send and the request's completion: frees the request and its tensors.
  void end();

  modelmill::Result<mm_tensor> input(uint32_t index);
  mm_response* new_response();

 private:
  struct Strings {
    uint32_t input;
    modelmill::StringTensor value;
    mm_chunk chunk;
  };

  void prepare_inputs();
  modelmill::Result<const Strings*> strings(uint32_t index);

  bool prepared_ = false;
  boost::container::small_vector<mm_chunk, 2> chunks_;  // of all inputs, one after another
  std::vector<std::unique_ptr<Strings>> strings_;
  mm_response first_;
  std::vector<std::unique_ptr<mm_response>> more_;  // decoupled models may hold several at once
};

/// One call of a backend's execute, recycled by its instance. Two parties hold it: the call itself, and the backend
/// until execution_done. The instance is told when both have let go, so no frame of the backend is left when it is
/// free.
struct mm_execution {
  explicit mm_execution(modelmill::LoadedInstance* i, const mm_host_model* m) : instance(i), model(m) {}

  modelmill::LoadedInstance* const instance;
  const mm_host_model* const model;

  void begin(std::vector<modelmill::InferRequestPtr> requests, modelmill::BackendInstance::Done done);
  mm_request* const* handles() const { return handles_.data(); }
  uint32_t size() const { return static_cast<uint32_t>(handles_.size()); }

  /// The backend's execution_done. A second call is logged and ignored.
  void backend_done(const mm_execution_done_args* args);
  /// The backend's execute refused: fails every request that has no answer yet.
  void refuse(const modelmill::Status& status);
  /// The call of execute has returned.
  void call_returned() { let_go(); }

 private:
  /// Fails every request that has no answer yet; returns how many there were.
  int fail_unanswered(const modelmill::Status& status);
  void let_go();

  std::unique_ptr<mm_request[]> slots_;
  size_t capacity_ = 0;
  std::vector<mm_request*> handles_;
  std::atomic<int> holders_{0};
  std::atomic<bool> done_called_{true};
  modelmill::BackendInstance::Done done_;
  modelmill::ExecutionResult result_;
};
