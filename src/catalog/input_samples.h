#pragma once

#include <atomic>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "request/infer_request.h"

namespace modelmill {

/// Inputs of a few requests, kept while somebody wants them: the shapes and values that clients really send. They share
/// the requests' memory. Thread-safe; while none are wanted an offer costs one relaxed load.
class InputSamples {
 public:
  /// Larger requests are passed over.
  static constexpr size_t kMostBytes = size_t{16} << 20;

  /// The next `count` requests are kept; those kept so far go.
  void want(size_t count) {
    const MutexLock lock(mutex_);
    kept_.clear();
    left_.store(count, std::memory_order_relaxed);
  }

  void offer(const InferRequest& request) {
    if (left_.load(std::memory_order_relaxed) > 0) keep(request);
  }

  /// What was kept; no more are wanted.
  std::vector<std::vector<Tensor>> take() {
    const MutexLock lock(mutex_);
    left_.store(0, std::memory_order_relaxed);
    return std::exchange(kept_, {});
  }

 private:
  void keep(const InferRequest& request) {
    size_t bytes = 0;
    for (const Tensor& input : request.inputs) bytes += input.byte_size();
    if (bytes > kMostBytes) return;
    const MutexLock lock(mutex_);
    const size_t left = left_.load(std::memory_order_relaxed);
    if (left == 0) return;
    kept_.emplace_back(request.inputs.begin(), request.inputs.end());
    left_.store(left - 1, std::memory_order_relaxed);
  }

  std::atomic<size_t> left_{0};
  Mutex mutex_;
  std::vector<std::vector<Tensor>> kept_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
