#pragma once

#include <memory>
#include <string>
#include <vector>

#include "state/entry_text.h"
#include "state/folder_events.h"
#include "state/store.h"
#include "state/store_lock.h"
#include "state/watch_list.h"

namespace modelmill {

/// A store in a folder, shared by the processes of one machine: a file for each key in entries/, replaced whole and
/// flushed; `format` says how they are to be read, `lock` makes writers one, leases/ has the leases. Entries that are
/// not whole are set aside as NAME.corrupt, logged, and told once as DATA_LOSS. Thread-safe.
class FileStore final : public StateStore {
 public:
  /// The largest value.
  static constexpr size_t kLargestValue = 16 << 20;

  /// Makes the folder when missing. FAILED_PRECONDITION when a later release wrote it: then it is left as it is.
  static Result<std::unique_ptr<FileStore>> open(const std::string& folder,
                                                 const StoreFormats& formats = StoreFormats::of_this_release());
  ~FileStore() override;

  Result<std::optional<StoredValue>> get(const std::string& key) override;
  Result<std::map<std::string, StoredValue>> list(const std::string& prefix) override;
  Result<uint64_t> compare_and_put(const std::string& key, const std::optional<std::string>& value,
                                   uint64_t expected) override;
  Result<std::unique_ptr<StoreWatch>> watch(const std::string& prefix, Changed changed) override;
  Result<std::unique_ptr<StoreLease>> acquire(const std::string& name, Duration ttl) override;

  /// Files that were found not whole when the store was opened, where they are now.
  const std::vector<std::string>& set_aside() const { return set_aside_; }

 private:
  FileStore(const std::string& folder, const StoreFormats& formats);
  Status prepare();
  Status look_through_entries(StoreLock::Held& held);
  Result<std::optional<StoredValue>> read(const std::string& key, const std::string& name) const;
  Result<std::optional<StoredValue>> read_under_lock(const std::string& key, const std::string& name);
  Result<std::string> put_aside(const std::string& name, const Status& why);

  const std::string folder_;
  const std::string entries_;
  const StoreFormats formats_;
  StoreLock lock_;
  std::vector<std::string> set_aside_;

  WatchList watches_;
  Mutex events_mutex_;
  std::unique_ptr<FolderEvents> events_ MM_GUARDED_BY(events_mutex_);  // from the first watch on
};

}  // namespace modelmill
