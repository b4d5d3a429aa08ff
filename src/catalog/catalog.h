#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/model_version.h"
#include "runtime/snapshot.h"

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
class Catalog {
 public:
  Catalog() : table_(std::make_shared<const ModelTable>()) {}

  void publish(std::shared_ptr<const ModelTable> table) { table_.publish(std::move(table)); }
  std::shared_ptr<const ModelTable> table() const { return table_.get(); }
  const Snapshot<ModelTable>& snapshot() const { return table_; }

  /// Pins a version (0: the default one) for a request, or says in Triton's words what is missing:
  /// NOT_FOUND for an unknown model, UNAVAILABLE for one that is known and not ready.
  Result<VersionPin> pin(std::string_view model, int64_t version) const;

 private:
  Snapshot<ModelTable> table_;
};

}  // namespace modelmill
