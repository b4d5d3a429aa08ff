#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "catalog/model_version.h"

namespace modelmill {

/// The life of a version as the repository index tells it.
enum class VersionState { kLoading, kReady, kUnloading, kUnavailable };

struct VersionStatus {
  int64_t version = 0;
  VersionState state = VersionState::kUnavailable;
  std::string reason;  // why not ready; empty when ready
};

/// One model of the table. Immutable.
struct ModelEntry {
  std::string name;
  /// Published versions, ascending; the last is the default.
  std::vector<std::shared_ptr<ModelVersion>> versions;
  /// Every version known, ascending, published or not.
  std::vector<VersionStatus> statuses;
};

/// What is served at a moment. Immutable.
struct ModelTable {
  std::map<std::string, std::shared_ptr<const ModelEntry>, std::less<>> models;
};

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

 private:
  struct alignas(64) Slot {
    mutable Mutex mutex;
    std::shared_ptr<const ModelTable> table MM_GUARDED_BY(mutex);
  };
  static constexpr size_t kSlots = 16;

  const Slot& slot() const;

  Mutex publish_mutex_;  // publishes one after the other, so that all slots end with the same table
  std::array<Slot, kSlots> slots_;
};

}  // namespace modelmill
