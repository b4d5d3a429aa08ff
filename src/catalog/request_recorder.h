#pragma once

#include <string>

namespace modelmill {

/// Takes records of requests that were answered, for those who read them later. Thread-safe.
class RequestRecorder {
 public:
  virtual ~RequestRecorder() = default;
  /// Takes one record of a request of `model` over, for the files whose names begin with `file_prefix`. Never waits for
  /// a file: what can't be kept until it is written is dropped, and counted.
  virtual void record(const std::string& model, const std::string& file_prefix, std::string bytes) = 0;
};

}  // namespace modelmill
