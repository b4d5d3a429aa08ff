#pragma once

#include <string>

#include "modelmill/backend.hpp"

namespace modelmill::python {

/// Makes lines of the log of what a process writes to a pipe. Long lines come in pieces. One thread.
class LineLog {
 public:
  LineLog(const mm_host_model* model, mm_log_level level) : model_(model), level_(level) {}

  /// Reads what is there, at most so much that others have their turn. False: the pipe has ended.
  bool read(int fd);
  /// Logs the rest, a line without its end.
  void finish();

 private:
  void take(std::string_view text);

  const mm_host_model* const model_;
  const mm_log_level level_;
  std::string line_;
};

}  // namespace modelmill::python
