#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/result.h"
#include "state/store.h"

namespace modelmill {

/// Documents of one kind by name, in a store, or in memory where there is none. For one thread at a time.
template <typename Document>
class KeptDocuments {
 public:
  struct Record {
    Document document;
    uint64_t revision = 0;  // 0: there is none yet
  };
  /// Gives the store, opening it; `make`: also where there is none yet. Null, or what it returns is: nothing outlasts
  /// the server.
  using OpenStore = std::function<Result<StateStore*>(bool make)>;
  struct Kind {
    std::string prefix;  // of the keys: "rollouts/"
    std::string what;    // for errors: "rollout"
    std::function<std::string(const Document&)> write;
    std::function<Result<Document>(const std::string&)> read;
  };

  KeptDocuments(OpenStore store, Kind kind) : store_(std::move(store)), kind_(std::move(kind)) {}

  Result<Record> get(const std::string& name);
  /// Those that can be read; the log is told of others once.
  Result<std::map<std::string, Record>> all();
  /// ABORTED when another process was faster; then nothing is written.
  Status put(const std::string& name, Record& record);
  /// Takes it away. ABORTED when another process has written it since.
  Status remove(const std::string& name, const Record& record);
  /// What get() returns from now on, until another revision is written. Not written itself.
  void keep(const std::string& name, const Record& record) { read_[name] = record; }
  /// Whether this process is the one that decides for the name; it stays that until release().
  bool hold(const std::string& name);
  void release(const std::string& name) { leases_.erase(name); }

 private:
  Result<StateStore*> open(bool make) const { return store_ ? store_(make) : Result<StateStore*>(nullptr); }
  Result<Record> read(const std::string& name, const StoredValue& stored) const;

  const OpenStore store_;
  const Kind kind_;
  std::map<std::string, Record> read_;          // what was read or written last, or all there is
  std::map<std::string, uint64_t> unreadable_;  // revisions that the log has been told of
  std::map<std::string, std::unique_ptr<StoreLease>> leases_;
};

template <typename Document>
auto KeptDocuments<Document>::read(const std::string& name, const StoredValue& stored) const -> Result<Record> {
  auto document = kind_.read(stored.value);
  if (!document.ok()) return document.status().with_context(kind_.what + " '" + name + "'");
  return Record{*std::move(document), stored.revision};
}

template <typename Document>
auto KeptDocuments<Document>::get(const std::string& name) -> Result<Record> {
  MM_ASSIGN_OR_RETURN(StateStore* const kept, open(false));
  const auto known = read_.find(name);
  if (kept == nullptr) return known == read_.end() ? Record() : known->second;
  MM_ASSIGN_OR_RETURN(const auto stored, kept->get(kind_.prefix + name));
  if (!stored) return Record();
  if (known != read_.end() && known->second.revision == stored->revision) return known->second;
  MM_ASSIGN_OR_RETURN(const Record fresh, read(name, *stored));
  return read_[name] = fresh;
}

template <typename Document>
auto KeptDocuments<Document>::all() -> Result<std::map<std::string, Record>> {
  MM_ASSIGN_OR_RETURN(StateStore* const kept, open(false));
  if (kept == nullptr) return read_;
  MM_ASSIGN_OR_RETURN(const auto stored, kept->list(kind_.prefix));
  std::map<std::string, Record> all;
  for (const auto& [key, value] : stored) {
    const std::string name = key.substr(kind_.prefix.size());
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
      Log::error("what was kept can't be read; the rest is", {{"reason", record.status().message()}});
    }
  }
  return read_ = std::move(all);
}

template <typename Document>
Status KeptDocuments<Document>::put(const std::string& name, Record& record) {
  MM_ASSIGN_OR_RETURN(StateStore* const kept, open(true));
  if (kept == nullptr) {
    ++record.revision;
  } else {
    MM_ASSIGN_OR_RETURN(record.revision,
                        kept->compare_and_put(kind_.prefix + name, kind_.write(record.document), record.revision));
  }
  read_[name] = record;
  return ok_status();
}

template <typename Document>
Status KeptDocuments<Document>::remove(const std::string& name, const Record& record) {
  MM_ASSIGN_OR_RETURN(StateStore* const kept, open(false));
  if (kept != nullptr) {
    const auto removed = kept->compare_and_put(kind_.prefix + name, std::nullopt, record.revision);
    MM_RETURN_IF_ERROR(removed.status());
  }
  read_.erase(name);
  return ok_status();
}

template <typename Document>
bool KeptDocuments<Document>::hold(const std::string& name) {
  const auto kept = open(false);
  if (!kept.ok()) return false;
  if (*kept == nullptr) return true;
  std::unique_ptr<StoreLease>& lease = leases_[name];
  if (lease && lease->held()) return true;
  auto taken = (*kept)->acquire(kind_.prefix + name, std::chrono::seconds(10));
  if (!taken.ok()) return false;
  lease = *std::move(taken);
  return true;
}

}  // namespace modelmill
