#pragma once

#include <string>
#include <vector>

#include "base/mutex.h"
#include "catalog/request_recorder.h"

namespace modelmill::testing {

/// Keeps what it is given.
class KeptRecords final : public RequestRecorder {
 public:
  struct Record {
    std::string model, file_prefix, bytes;
  };

  void record(const std::string& model, const std::string& file_prefix, std::string bytes) override {
    const MutexLock lock(mutex_);
    all_.push_back({model, file_prefix, std::move(bytes)});
  }
  std::vector<Record> all() const {
    const MutexLock lock(mutex_);
    return all_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<Record> all_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::testing
