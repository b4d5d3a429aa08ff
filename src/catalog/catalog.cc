#include "catalog/catalog.h"

#include <algorithm>

#include "runtime/thread_slot.h"

namespace modelmill {
namespace {

constexpr std::string_view kUnknown = "Request for unknown model: '";

std::string quoted(std::string_view model) {
  std::string out(kUnknown);
  out += model;
  out += '\'';
  return out;
}

std::string quoted(std::string_view model, int64_t version) {
  return quoted(model) + " version " + std::to_string(version);
}

/// The version asked for, 0 being the last; null when it is not published.
ModelVersion* find(const ModelEntry& entry, int64_t version) {
  if (version == 0) return entry.versions.empty() ? nullptr : entry.versions.back().get();
  for (const auto& candidate : entry.versions)
    if (candidate->version() == version) return candidate.get();
  return nullptr;
}

Status no_default_version(const ModelEntry& entry) {
  return not_found(quoted(entry.name) + " has no available versions");
}

Status no_version(const ModelEntry& entry, int64_t version) {
  const bool known = find(entry, version) != nullptr ||
                     std::any_of(entry.statuses.begin(), entry.statuses.end(),
                                 [version](const VersionStatus& s) { return s.version == version; });
  if (known) return unavailable(quoted(entry.name, version) + " is not at ready state");
  return not_found(quoted(entry.name, version) + " is not found");
}

}  // namespace

Catalog::Catalog() {
  const auto empty = std::make_shared<const ModelTable>();
  for (Slot& slot : slots_) {
    MutexLock lock(slot.mutex);
    slot.table = empty;
  }
}

const Catalog::Slot& Catalog::slot() const { return slots_[thread_slot() % kSlots]; }

void Catalog::publish(std::shared_ptr<const ModelTable> table) {
  // The last reference to the old table is dropped below, outside the slots' locks: it may unload models.
  std::array<std::shared_ptr<const ModelTable>, kSlots> old;
  MutexLock publishing(publish_mutex_);
  for (size_t i = 0; i < kSlots; ++i) {
    MutexLock lock(slots_[i].mutex);
    old[i] = std::exchange(slots_[i].table, table);
  }
}

std::shared_ptr<const ModelTable> Catalog::table() const {
  const Slot& mine = slot();
  MutexLock lock(mine.mutex);
  return mine.table;
}

Result<VersionPin> Catalog::pin(std::string_view model, int64_t version) const {
  const Slot& mine = slot();
  std::shared_ptr<const ModelEntry> entry;
  {
    MutexLock lock(mine.mutex);
    const auto it = mine.table->models.find(model);
    if (it == mine.table->models.end()) return not_found(quoted(model) + " is not found");
    if (ModelVersion* found = find(*it->second, version))
      if (VersionPin pin(*found); pin) return pin;
    entry = it->second;
  }
  // Not published, or just closing.
  if (version == 0) return no_default_version(*entry);
  return no_version(*entry, version);
}

}  // namespace modelmill
