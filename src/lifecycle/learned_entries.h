#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "catalog/model_version.h"

namespace modelmill {

/// What executions of a version's entry points have cost, for the version that takes its place or for itself when it is
/// loaded again.
class LearnedEntries {
 public:
  LearnedEntries() = default;
  explicit LearnedEntries(const ModelVersion& version);

  /// Of the entry point of that name, where it is run and batched in the same way and has the same signature; empty:
  /// nothing is known of such a one.
  std::vector<LearnedCost> find(const ModelDefinition& definition, const Signature& signature,
                                const std::string& name) const;

 private:
  struct Entry {
    std::string backend;
    std::optional<int64_t> max_batch_size;
    int instance_threads = 0;
    Signature signature;
    std::vector<LearnedCost> costs;
  };
  void add(const ModelVersion& entry);

  std::map<std::string, Entry> entries_;
};

}  // namespace modelmill
