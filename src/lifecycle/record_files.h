#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "catalog/request_recorder.h"
#include "runtime/metrics.h"

namespace modelmill {

/// Writes records into TFRecord files, PREFIX-20261129T043634Z-PID.tfrecord, on a thread of its own that the first
/// record starts. A file that has grown to 256 MiB, or that somebody has moved or removed, or that nothing was written
/// to for an hour, is followed by a new one. Records that wait take up to 64 MiB of memory; what comes beyond that is
/// dropped. A record is whole or not there, also when the disk is full. What became of them is in `metrics`:
/// modelmill_request_log_records_total by model and result, "written", "dropped" or "failed".
class RecordFiles final : public RequestRecorder {
 public:
  explicit RecordFiles(MetricRegistry& metrics);
  /// Writes what waits.
  ~RecordFiles() override;

  void record(const std::string& model, const std::string& file_prefix, std::string bytes) override;
  std::map<std::string, Counts> counts() const override;

 private:
  struct Waiting {
    std::string model, file_prefix, bytes;
  };
  class File;
  struct Counters {
    std::shared_ptr<Counter> written, dropped, failed;
  };

  void write_for_ever();
  void write(std::deque<Waiting> records);
  Counters& counts_of(const std::string& model) MM_REQUIRES(mutex_);
  void tell_failure(const std::string& what);

  MetricRegistry& metrics_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::deque<Waiting> waiting_ MM_GUARDED_BY(mutex_);
  uint64_t waiting_bytes_ MM_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Counters> counts_ MM_GUARDED_BY(mutex_);
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  std::thread writer_;  // started under mutex_

  // Of the writer.
  std::map<std::string, std::unique_ptr<File>> files_;
  TimePoint told_{};
};

}  // namespace modelmill
