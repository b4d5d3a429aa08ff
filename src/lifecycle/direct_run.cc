#include "lifecycle/direct_run.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace modelmill {
namespace {

/// What the requests of one run report to. Shared with the backend's threads, which may still be inside a call of it
/// when the waiter goes on.
class Collector {
 public:
  explicit Collector(size_t requests) : answers_(requests), open_(requests + 1) {}

  void answer(size_t i, InferResponse response, bool final, bool has_response) {
    MutexLock lock(mutex_);
    // Of a model with several answers the first one counts, unless a later one is an error.
    if (has_response && (!answers_[i] || !response.status.ok()))
      answers_[i] = response.status.ok()
                        ? Result<TensorList>(TensorList(response.outputs.begin(), response.outputs.end()))
                        : Result<TensorList>(response.status);
    if (final) close_one();
  }

  void instance_free() {
    MutexLock lock(mutex_);
    close_one();
  }

  std::vector<Result<TensorList>> wait() {
    MutexLock lock(mutex_);
    while (open_ > 0) done_.wait(mutex_);
    std::vector<Result<TensorList>> out;
    for (auto& answer : answers_)
      out.push_back(answer ? *std::move(answer) : Result<TensorList>(internal("the model gave no answer")));
    return out;
  }

 private:
  void close_one() MM_REQUIRES(mutex_) {
    if (--open_ == 0) done_.notify_all();
  }

  Mutex mutex_;
  CondVar done_;
  std::vector<std::optional<Result<TensorList>>> answers_ MM_GUARDED_BY(mutex_);
  size_t open_ MM_GUARDED_BY(mutex_);  // requests without their last answer, and the instance
};

class CollectorSink final : public ResponseSink {
 public:
  CollectorSink(std::shared_ptr<Collector> collector, size_t index) : collector_(std::move(collector)), index_(index) {}
  void on_response(InferResponse response, bool final, bool has_response) override {
    collector_->answer(index_, std::move(response), final, has_response);
  }

 private:
  std::shared_ptr<Collector> collector_;
  size_t index_;
};

}  // namespace

std::vector<Result<TensorList>> run_directly(BackendInstance& instance, const std::string& model, int64_t version,
                                             const std::vector<DirectRequest>& requests) {
  if (requests.empty()) return {};
  auto collector = std::make_shared<Collector>(requests.size());
  std::vector<InferRequestPtr> batch;
  for (size_t i = 0; i < requests.size(); ++i) {
    auto request = std::make_unique<InferRequest>(std::make_shared<CollectorSink>(collector, i));
    request->model = model;
    request->version = version;
    request->inputs.assign(requests[i].inputs.begin(), requests[i].inputs.end());
    request->batch_rows = requests[i].rows;
    request->times.received = request->times.queued = Clock::now();
    batch.push_back(std::move(request));
  }
  instance.execute(std::move(batch), [collector](const ExecutionResult&) { collector->instance_free(); });
  return collector->wait();
}

}  // namespace modelmill
