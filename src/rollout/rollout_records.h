#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "rollout/rollout_document.h"
#include "state/store.h"

namespace modelmill {

/// The rollouts' documents in a store, or in memory where there is none. For one thread at a time.
class RolloutRecords {
 public:
  struct Record {
    RolloutDocument document;
    uint64_t revision = 0;  // 0: there is none yet
  };
  /// See RouteKeeper::Options.
  using OpenStore = std::function<Result<StateStore*>(bool make)>;

  explicit RolloutRecords(OpenStore store) : store_(std::move(store)) {}

  Result<Record> get(const std::string& name);
  /// Those that can be read; the log is told of others once.
  Result<std::map<std::string, Record>> all();
  /// ABORTED when another process was faster; then nothing is written.
  Status put(const std::string& name, Record& record);
  /// What get() returns from now on, until another revision is written. Not written itself.
  void keep(const std::string& name, const Record& record) { read_[name] = record; }
  /// Whether this process is the one that decides for the name; it stays that until release().
  bool hold(const std::string& name);
  void release(const std::string& name) { leases_.erase(name); }

 private:
  const OpenStore store_;
  std::map<std::string, Record> read_;          // what was read or written last, or all there is
  std::map<std::string, uint64_t> unreadable_;  // revisions that the log has been told of
  std::map<std::string, std::unique_ptr<StoreLease>> leases_;
};

}  // namespace modelmill
