#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "modelmill/backend.hpp"

namespace modelmill::backend::testing {

/// Waits until the gate is open: takes and gives back a shared lock of the file of that name, which whoever holds an
/// exclusive one refuses.
inline void pass_gate(const std::string& gate) {
  const int file = ::open(gate.c_str(), O_RDONLY | O_CLOEXEC);
  int failed = file < 0 ? -1 : 0;
  while (file >= 0 && (failed = ::flock(file, LOCK_SH)) != 0 && errno == EINTR) {
  }
  const int error = errno;
  if (file >= 0) ::close(file);
  if (failed != 0) throw Error(MM_UNAVAILABLE, "gate '" + gate + "': " + std::strerror(error));
}

}  // namespace modelmill::backend::testing
