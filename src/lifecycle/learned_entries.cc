#include "lifecycle/learned_entries.h"

#include "lifecycle/signature_change.h"

namespace modelmill {

LearnedEntries::LearnedEntries(const ModelVersion& version) {
  add(version);
  for (const auto& [name, entry] : version.other_signatures()) add(*entry);
}

void LearnedEntries::add(const ModelVersion& entry) {
  auto costs = entry.learned();
  if (costs.empty()) return;
  const ModelDefinition& definition = entry.definition();
  entries_[entry.description().signature_name] = {definition.backend, definition.max_batch_size,
                                                  definition.instance_threads, entry.signature(), std::move(costs)};
}

std::vector<LearnedCost> LearnedEntries::find(const ModelDefinition& definition, const Signature& signature,
                                              const std::string& name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return {};
  const Entry& entry = it->second;
  const bool alike = entry.backend == definition.backend && entry.max_batch_size == definition.max_batch_size &&
                     entry.instance_threads == definition.instance_threads &&
                     same_signature(entry.signature, signature);
  return alike ? entry.costs : std::vector<LearnedCost>();
}

}  // namespace modelmill
