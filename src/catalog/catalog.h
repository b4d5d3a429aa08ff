#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/mutex.h"
#include "base/result.h"
#include "catalog/model_table.h"

namespace modelmill {

/// What the planes share: the control plane publishes tables, the data plane reads them. Thread-safe.
///
/// Readers hold no table between calls (a thread that sleeps must not keep an unloaded model): each reads, under a lock
/// of its own that only a publish ever contends, one of a few copies of the pointer. So when publish() has returned,
/// nobody can pin a version that the new table lacks, and whoever closes that version's gate then refuses nobody.
class Catalog {
 public:
  Catalog();

  void publish(std::shared_ptr<const ModelTable> table);
  std::shared_ptr<const ModelTable> table() const;

  /// Pins a version (0: the default one) for a request, or says in Triton's words what is missing:
  /// NOT_FOUND for an unknown model or version, UNAVAILABLE for one that is known and not ready.
  Result<VersionPin> pin(std::string_view model, int64_t version) const;
  /// The same for the version that a label stands for.
  Result<VersionPin> pin(std::string_view model, std::string_view label) const;
  /// The version of the label, where there is one.
  Result<VersionPin> pin(std::string_view model, int64_t version, std::string_view label) const {
    return label.empty() ? pin(model, version) : pin(model, label);
  }
  /// Whether a request may come to a model with an open signature: what only such models need is not made for others.
  bool may_have_open() const { return may_have_open_.load(std::memory_order_relaxed); }
  /// Whether a model is served that has one: what is only its own, as paths of its code are, is nobody's before.
  bool has_open() const { return has_open_.load(std::memory_order_relaxed); }
  /// Grows with each publish(), at its begin, when it becomes odd, and at its end: while it stays, every name leads
  /// where it did.
  uint64_t publications() const { return publications_.load(std::memory_order_acquire); }
  /// The model is known, not served, and loads when a request waits for it.
  bool loads_on_demand(std::string_view model) const;

 private:
  struct alignas(64) Slot {
    mutable Mutex mutex;
    std::shared_ptr<const ModelTable> table MM_GUARDED_BY(mutex);
  };
  static constexpr size_t kSlots = 16;

  const Slot& slot() const;
  /// Pins what `choose` finds in the model's entry; when it can't be pinned, the entry is in `missed`.
  template <typename Choose>
  VersionPin pin_chosen(std::string_view model, Choose choose, std::shared_ptr<const ModelEntry>& missed) const;

  Mutex publish_mutex_;  // publishes one after the other, so that all slots end with the same table
  std::array<Slot, kSlots> slots_;
  std::atomic<bool> may_have_open_ = false;
  std::atomic<bool> has_open_ = false;
  std::atomic<uint64_t> publications_{0};
};

}  // namespace modelmill
