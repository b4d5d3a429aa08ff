#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "request/infer_request.h"

namespace modelmill::testing {

/// Keeps what a request was answered with. Thread-safe.
class Collected final : public ResponseSink {
 public:
  void on_response(InferResponse response, bool final, bool has_response) override {
    const std::lock_guard lock(mutex_);
    if (has_response) responses_.push_back(std::move(response));
    finals_ += final ? 1 : 0;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return finals_ > 0; });
  }
  int finals() {
    const std::lock_guard lock(mutex_);
    return finals_;
  }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return responses_.size();
  }
  InferResponse& response(size_t i = 0) { return responses_.at(i); }
  const Status& status() { return responses_.at(0).status; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<InferResponse> responses_;
  int finals_ = 0;
};

}  // namespace modelmill::testing
