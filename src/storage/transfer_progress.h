#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace modelmill {

/// How far a download of one URL is.
struct TransferProgress {
  std::string url;
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;  // 0: unknown
  bool ended = false;        // well or not; nothing more comes of it
};

/// Called from several threads at once.
using ProgressCallback = std::function<void(const TransferProgress&)>;

}  // namespace modelmill
