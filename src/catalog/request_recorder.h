#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace modelmill {

/// Takes records of requests that were answered, for those who read them later. Thread-safe.
class RequestRecorder {
 public:
  virtual ~RequestRecorder() = default;
  /// Takes one record of a request of `model` over, for the files whose names begin with `file_prefix`. Never waits for
  /// a file: what can't be kept until it is written is dropped, and counted.
  virtual void record(const std::string& model, const std::string& file_prefix, std::string bytes) = 0;

  /// What became of the records of each model.
  struct Counts {
    uint64_t written = 0;
    uint64_t dropped = 0;
    uint64_t failed = 0;
  };
  virtual std::map<std::string, Counts> counts() const { return {}; }
};

}  // namespace modelmill
