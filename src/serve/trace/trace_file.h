#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "runtime/offload.h"

namespace modelmill {

/// The file of traces, and the numbered ones beside it: each a JSON array. Written by a thread of its own, in the order
/// of the calls. What waits for it takes up to 64 MiB of memory; what comes beyond that is dropped, and the log says
/// so. Thread-safe.
class TraceFile {
 public:
  /// Nothing is written before there are traces; nothing at all where `path` is empty.
  explicit TraceFile(std::string path);
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  const std::string& path() const { return path_; }

  /// Adds entries of an array, with commas between them, to the file.
  void add(std::string entries);
  /// Writes them as the next of the numbered files, PATH.0, PATH.1 and so on.
  void add_numbered(std::string entries);
  /// Has all been written and the array ended; later calls do nothing. Idempotent.
  void close();

 private:
  /// Has the thread `write` them, if they may wait.
  void run(std::string entries, void (TraceFile::*write)(const std::string&));
  void write(const std::string& entries);
  void write_numbered(const std::string& entries);
  void say_failed(const std::string& path, int error);

  const std::string path_;
  // The thread's.
  int fd_ = -1;
  uint32_t next_number_ = 0;
  bool failed_ = false;  // and the log has been told
  Mutex mutex_;
  bool dropped_ MM_GUARDED_BY(mutex_) = false;  // the same
  bool closed_ MM_GUARDED_BY(mutex_) = false;
  size_t waiting_bytes_ MM_GUARDED_BY(mutex_) = 0;
  std::optional<Offload> thread_;  // last: it uses the others
};

}  // namespace modelmill
