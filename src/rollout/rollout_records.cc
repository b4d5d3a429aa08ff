#include "rollout/rollout_records.h"

#include <utility>

#include "base/log.h"

namespace modelmill {
namespace {

constexpr const char* kPrefix = "rollouts/";

std::string key_of(const std::string& name) { return kPrefix + name; }

Result<RolloutRecords::Record> read(const std::string& name, const StoredValue& stored) {
  auto document = parse_rollout_document(stored.value);
  if (!document.ok()) return document.status().with_context("rollout '" + name + "'");
  return RolloutRecords::Record{*std::move(document), stored.revision};
}

}  // namespace

Result<RolloutRecords::Record> RolloutRecords::get(const std::string& name) {
  StateStore* kept = nullptr;
  if (store_) {
    MM_ASSIGN_OR_RETURN(kept, store_(false));
  }
  const auto known = read_.find(name);
  if (kept == nullptr) return known == read_.end() ? Record() : known->second;
  MM_ASSIGN_OR_RETURN(const auto stored, kept->get(key_of(name)));
  if (!stored) return Record();
  if (known != read_.end() && known->second.revision == stored->revision) return known->second;
  MM_ASSIGN_OR_RETURN(const Record fresh, read(name, *stored));
  return read_[name] = fresh;
}

Result<std::map<std::string, RolloutRecords::Record>> RolloutRecords::all() {
  StateStore* kept = nullptr;
  if (store_) {
    MM_ASSIGN_OR_RETURN(kept, store_(false));
  }
  if (kept == nullptr) return read_;
  MM_ASSIGN_OR_RETURN(const auto stored, kept->list(kPrefix));
  std::map<std::string, Record> all;
  for (const auto& [key, value] : stored) {
    const std::string name = key.substr(std::string_view(kPrefix).size());
    const auto known = read_.find(name);
    if (known != read_.end() && known->second.revision == value.revision) {
      all.insert(*known);
      continue;
    }
    Result<Record> record = read(name, value);
    if (record.ok()) {
      unreadable_.erase(name);
      all.emplace(name, *std::move(record));
    } else if (std::exchange(unreadable_[name], value.revision) != value.revision) {
      Log::error("a rollout can't be read; the others go on", {{"route", name}, {"reason", record.status().message()}});
    }
  }
  return read_ = std::move(all);
}

Status RolloutRecords::put(const std::string& name, Record& record) {
  StateStore* kept = nullptr;
  if (store_) {
    MM_ASSIGN_OR_RETURN(kept, store_(true));
  }
  if (kept == nullptr) {
    ++record.revision;
  } else {
    MM_ASSIGN_OR_RETURN(record.revision,
                        kept->compare_and_put(key_of(name), rollout_document_text(record.document), record.revision));
  }
  read_[name] = record;
  return ok_status();
}

bool RolloutRecords::hold(const std::string& name) {
  StateStore* kept = nullptr;
  if (store_) {
    const auto opened = store_(false);
    if (!opened.ok()) return false;
    kept = *opened;
  }
  if (kept == nullptr) return true;
  std::unique_ptr<StoreLease>& lease = leases_[name];
  if (lease && lease->held()) return true;
  auto taken = kept->acquire(key_of(name), std::chrono::seconds(10));
  if (!taken.ok()) return false;
  lease = *std::move(taken);
  return true;
}

}  // namespace modelmill
