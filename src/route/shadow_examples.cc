#include "route/shadow_examples.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace modelmill {

std::vector<Tensor> kept_for_example(const std::vector<Tensor>& tensors) {
  size_t bytes = 0;
  for (const Tensor& tensor : tensors) bytes += tensor.byte_size();
  std::vector<Tensor> out;
  if (bytes > ShadowExample::kMostBytes) return out;
  out.reserve(tensors.size());
  for (const Tensor& tensor : tensors)
    out.push_back({tensor.name, tensor.dtype, tensor.shape, {Bytes::copy_of(tensor.contiguous().view())}});
  return out;
}

bool ShadowExamples::wants(double excess, size_t most) const {
  const MutexLock lock(mutex_);
  return most > 0 && (kept_.size() < most || excess > kept_[most - 1].worst.excess());
}

void ShadowExamples::add(ShadowExample example, size_t most) {
  const double excess = example.worst.excess();
  const MutexLock lock(mutex_);
  const auto place = std::find_if(kept_.begin(), kept_.end(),
                                  [excess](const ShadowExample& kept) { return kept.worst.excess() < excess; });
  kept_.insert(place, std::move(example));
  if (kept_.size() > most) kept_.resize(most);
}

void ShadowExamples::clear() {
  const MutexLock lock(mutex_);
  kept_.clear();
}

std::vector<ShadowExample> ShadowExamples::list() const {
  const MutexLock lock(mutex_);
  return kept_;
}

}  // namespace modelmill
