#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"

namespace modelmill::kserve_v2 {

/// The process's log by Triton's names: each level by itself, verbose lines (at level 1 and above those for debugging),
/// and the format: "default" is what the server was started with, "ISO8601" the text format, whose times are so;
/// "text" and "json" are those of --log-format. Thread-safe.
class LogSettings {
 public:
  struct Values {
    bool info;
    bool warning;
    bool error;
    uint32_t verbose_level;
    std::string format;
  };
  /// What is to be another; nothing: it stays.
  struct Change {
    std::optional<bool> info;
    std::optional<bool> warning;
    std::optional<bool> error;
    std::optional<uint32_t> verbose_level;
    std::optional<std::string> format;
  };

  Values values() const;
  /// All of it, or INVALID_ARGUMENT and none.
  Status apply(const Change& change);

 private:
  const LogFormat first_format_ = Log::format();
  mutable Mutex mutex_;
  uint32_t verbose_level_ MM_GUARDED_BY(mutex_) = 1;  // when there are verbose lines
  std::string format_ MM_GUARDED_BY(mutex_) = "default";
};

/// What those are told who would name the file of the log.
Status log_file_refused();

}  // namespace modelmill::kserve_v2
