#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend_model.h"
#include "request/infer_request.h"
#include "schedule/scheduled_version.h"

namespace modelmill::testing {

/// Remembers a request's responses; wait() blocks until the final one. Thread-safe.
class RecordingSink final : public ResponseSink {
 public:
  void on_response(InferResponse response, bool final, bool has_response) override {
    std::function<void()> then;
    {
      std::lock_guard lock(mutex_);
      if (finals_ > 0) ++after_final_;
      if (has_response) responses_.push_back(std::move(response));
      if (final) {
        ++finals_;
        then = on_final;
      }
    }
    done_.notify_all();
    if (then) then();
  }

  /// The status of the last answer.
  Status wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return finals_ > 0; });
    return responses_.empty() ? ok_status() : responses_.back().status;
  }
  bool finished() const { return finals() > 0; }
  int finals() const {
    std::lock_guard lock(mutex_);
    return finals_;
  }
  int after_final() const {
    std::lock_guard lock(mutex_);
    return after_final_;
  }

  std::function<void()> on_final;  // set before the request is submitted

 private:
  mutable std::mutex mutex_;
  std::condition_variable done_;
  std::vector<InferResponse> responses_;
  int finals_ = 0;
  int after_final_ = 0;
};

/// A request for the sink: one FP32 input "x" of shape [rows, inner...].
inline InferRequestPtr make_request(std::shared_ptr<ResponseSink> sink, std::string id = "", int64_t rows = 1,
                                    std::vector<int64_t> inner = {4}) {
  auto request = std::make_unique<InferRequest>(std::move(sink));
  request->model = "m";
  request->id = std::move(id);
  request->batch_rows = rows;
  Tensor x;
  x.name = "x";
  x.dtype = DataType::kFp32;
  x.shape.push_back(rows);
  for (const int64_t d : inner) x.shape.push_back(d);
  static const std::string zeros(1 << 16, '\0');
  const auto bytes = static_cast<size_t>(element_count(dims(x.shape)).value()) * 4;
  x.data.push_back(Bytes::unowned(std::string_view(zeros).substr(0, bytes)));
  request->inputs.push_back(std::move(x));
  return request;
}

/// A batch that an instance was given and has not finished.
struct PendingBatch {
  std::vector<InferRequestPtr> requests;
  BackendInstance::Done done;

  std::vector<std::string> ids() const {
    std::vector<std::string> out;
    for (const auto& request : requests) out.push_back(request->id);
    return out;
  }
  void finish(const Status& status = ok_status()) {
    for (auto& request : requests) {
      if (status.ok()) {
        request->complete({});
      } else {
        request->fail(status);
      }
    }
    requests.clear();
    std::exchange(done, nullptr)(ExecutionResult{});
  }
};

/// Where instances leave their batches until the test finishes them. Thread-safe. Outlives the instances.
class Stage {
 public:
  void put(PendingBatch batch) {
    {
      std::lock_guard lock(mutex_);
      batches_.push_back(std::move(batch));
    }
    changed_.notify_all();
  }
  /// Blocks until there is one.
  PendingBatch take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !batches_.empty(); });
    PendingBatch batch = std::move(batches_.front());
    batches_.pop_front();
    return batch;
  }
  size_t size() const {
    std::lock_guard lock(mutex_);
    return batches_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<PendingBatch> batches_;
};

/// Completes later: puts its batches on the stage.
class StagedInstance final : public BackendInstance {
 public:
  explicit StagedInstance(Stage& stage) : stage_(stage) {}
  void execute(std::vector<InferRequestPtr> requests, Done done) override {
    stage_.put({std::move(requests), std::move(done)});
  }

 private:
  Stage& stage_;
};

/// Calls `run` with the batch and then completes what that left, all before execute() returns.
class SyncInstance final : public BackendInstance {
 public:
  using Run = std::function<void(std::vector<InferRequestPtr>&)>;
  explicit SyncInstance(Run run = nullptr) : run_(std::move(run)) {}
  void execute(std::vector<InferRequestPtr> requests, Done done) override {
    if (run_) run_(requests);
    for (const auto& request : requests)
      if (request && !request->completed()) request->complete({});
    requests.clear();
    done(ExecutionResult{});
  }

 private:
  Run run_;
};

class FakeModel final : public BackendModel {
 public:
  const BackendModelInfo& info() const override { return info_; }
  Result<std::unique_ptr<BackendInstance>> create_instance(const std::string&, InstanceGroup::Kind, int) override {
    return std::unique_ptr<BackendInstance>(std::make_unique<SyncInstance>());
  }

 private:
  BackendModelInfo info_;
};

/// The description of model "m" with input x of shape [-1, inner].
inline ModelVersion::Description describe(int64_t inner = 4) {
  ModelVersion::Description description;
  description.definition.name = "m";
  description.signature.inputs.push_back({.name = "x", .dtype = DataType::kFp32, .shape = {-1, inner}});
  return description;
}

}  // namespace modelmill::testing
