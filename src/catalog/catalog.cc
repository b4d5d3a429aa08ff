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

Status no_default_version(const ModelEntry& entry) {
  return not_found(quoted(entry.name) + " has no available versions");
}

Status no_version(const ModelEntry& entry, int64_t version) {
  const bool known =
      entry.find(version) != nullptr || std::any_of(entry.statuses.begin(), entry.statuses.end(),
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
  // Before and after: what is pinned while some slots have the old table is of a number of its own.
  publications_.fetch_add(1, std::memory_order_acq_rel);
  may_have_open_.store(table->may_have_open(), std::memory_order_relaxed);
  has_open_.store(table->has_open(), std::memory_order_relaxed);
  for (size_t i = 0; i < kSlots; ++i) {
    MutexLock lock(slots_[i].mutex);
    old[i] = std::exchange(slots_[i].table, table);
  }
  publications_.fetch_add(1, std::memory_order_acq_rel);
}

std::shared_ptr<const ModelTable> Catalog::table() const {
  const Slot& mine = slot();
  MutexLock lock(mine.mutex);
  return mine.table;
}

template <typename Choose>
VersionPin Catalog::pin_chosen(std::string_view model, Choose choose, std::shared_ptr<const ModelEntry>& missed) const {
  const Slot& mine = slot();
  MutexLock lock(mine.mutex);
  const ModelEntry* entry = mine.table->find(model);
  if (entry == nullptr) return {};
  if (const std::shared_ptr<ModelVersion>* found = choose(*entry))
    if (VersionPin pin(**found); pin) return pin;
  missed = mine.table->share(model);
  return {};
}

bool Catalog::loads_on_demand(std::string_view model) const {
  const Slot& mine = slot();
  MutexLock lock(mine.mutex);
  const ModelEntry* entry = mine.table->find(model);
  return entry != nullptr && entry->on_demand;
}

Result<VersionPin> Catalog::pin(std::string_view model, int64_t version) const {
  std::shared_ptr<const ModelEntry> entry;
  VersionPin pin = pin_chosen(
      model, [version](const ModelEntry& e) { return e.find(version); }, entry);
  if (pin) return pin;
  if (!entry) return not_found(quoted(model) + " is not found");
  // Not published, or just closing.
  if (version == 0) return no_default_version(*entry);
  return no_version(*entry, version);
}

Result<VersionPin> Catalog::pin(std::string_view model, std::string_view label) const {
  std::shared_ptr<const ModelEntry> entry;
  const auto version_of = [label](const ModelEntry& e) {
    const auto it = e.labels.find(label);
    return it == e.labels.end() ? int64_t{0} : it->second;
  };
  const auto choose = [&](const ModelEntry& e) -> const std::shared_ptr<ModelVersion>* {
    const int64_t version = version_of(e);
    return version == 0 ? nullptr : e.find(version);
  };
  VersionPin pin = pin_chosen(model, choose, entry);
  if (pin) return pin;
  if (!entry) return not_found(quoted(model) + " is not found");
  const int64_t version = version_of(*entry);
  if (version != 0) return no_version(*entry, version);
  // What is no number is no version, unless the model has labels.
  if (entry->labels.empty())
    return invalid_argument("failed to get model version from specified version string '" + std::string(label) +
                            "', version should be an integral value > 0");
  std::string known;
  for (const auto& [name, number] : entry->labels) known += (known.empty() ? "" : ", ") + name;
  return not_found(quoted(model) + " has no version labelled '" + std::string(label) + "'" + "; its labels are " +
                   known);
}

}  // namespace modelmill
