#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "route/output_distance.h"
#include "tensor/tensor.h"

namespace modelmill {

/// An answer of a shadow that disagrees with the primary's.
struct ShadowExample {
  /// Inputs, and the outputs of either side, are kept when they have no more bytes together.
  static constexpr size_t kMostBytes = size_t{16} << 10;

  std::chrono::system_clock::time_point at;
  std::string id;       // of the request; may be empty
  std::string primary;  // the arm
  int64_t primary_version = 0, shadow_version = 0;
  OutputDistance worst;                               // of its outputs
  std::vector<Tensor> inputs, answer, shadow_answer;  // empty: too large
};

/// A copy of the tensors in memory of their own, or nothing when they have more than ShadowExample::kMostBytes.
std::vector<Tensor> kept_for_example(const std::vector<Tensor>& tensors);

/// The worst examples, of which so many are kept as is said with each. Thread-safe.
class ShadowExamples {
 public:
  /// One with this excess would be kept. Cheap; another thread may make it untrue.
  bool wants(double excess, size_t most) const;
  void add(ShadowExample example, size_t most);
  void clear();
  /// The worst first; of equal ones the oldest.
  std::vector<ShadowExample> list() const;

 private:
  mutable Mutex mutex_;
  std::vector<ShadowExample> kept_ MM_GUARDED_BY(mutex_);  // the worst first
};

}  // namespace modelmill
