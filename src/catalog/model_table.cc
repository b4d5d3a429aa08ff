#include "catalog/model_table.h"

#include <algorithm>

namespace modelmill {

const std::shared_ptr<ModelVersion>* ModelEntry::find(int64_t version) const {
  const auto at = [this](int64_t number) -> const std::shared_ptr<ModelVersion>* {
    for (const auto& candidate : versions)
      if (candidate->version() == number) return &candidate;
    return nullptr;
  };
  if (version != 0) return at(version);
  if (default_version != 0)
    if (const auto* found = at(default_version)) return found;
  return versions.empty() ? nullptr : &versions.back();
}

bool ModelEntry::is_open() const {
  return std::any_of(versions.begin(), versions.end(), [](const auto& version) { return version->signature().open; });
}

bool ModelEntry::may_be_open() const { return (on_demand && versions.empty()) || is_open(); }

ModelTable::ModelTable() = default;

const std::shared_ptr<const ModelEntry>* ModelTable::look(std::string_view name) const {
  const auto& part = parts_[part_of(name)];
  if (!part) return nullptr;
  const auto it = part->find(name);
  return it == part->end() ? nullptr : &it->second;
}

const ModelEntry* ModelTable::find(std::string_view name) const {
  const auto* found = look(name);
  return found == nullptr ? nullptr : found->get();
}

std::shared_ptr<const ModelEntry> ModelTable::share(std::string_view name) const {
  const auto* found = look(name);
  return found == nullptr ? nullptr : *found;
}

std::vector<const ModelEntry*> ModelTable::entries() const {
  std::vector<const ModelEntry*> all;
  for (const auto& part : parts_)
    if (part)
      for (const auto& [name, entry] : *part) all.push_back(entry.get());
  std::sort(all.begin(), all.end(), [](const ModelEntry* a, const ModelEntry* b) { return a->name < b->name; });
  return all;
}

size_t ModelTable::size() const {
  size_t count = 0;
  for (const auto& part : parts_)
    if (part) count += part->size();
  return count;
}

ModelTable::Part& ModelTable::own_part(std::string_view name) {
  auto& part = parts_[part_of(name)];
  if (!part) part = std::make_shared<Part>();
  // Nobody can begin to share what this table alone has: it is copied by its owner only.
  if (part.use_count() > 1) part = std::make_shared<Part>(*part);
  return *part;
}

void ModelTable::count(const ModelEntry& entry, int by) {
  if (entry.is_open()) open_ += by;
  if (entry.may_be_open()) may_be_open_ += by;
}

void ModelTable::put(std::shared_ptr<const ModelEntry> entry) {
  const std::string name = entry->name;
  if (const ModelEntry* const before = find(name)) count(*before, -1);
  count(*entry, 1);
  own_part(name).insert_or_assign(name, std::move(entry));
}

void ModelTable::erase(std::string_view name) {
  const ModelEntry* const before = find(name);
  if (before == nullptr) return;
  count(*before, -1);
  Part& part = own_part(name);
  part.erase(part.find(name));
}

}  // namespace modelmill
