#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace modelmill {

/// How a journal begins. After that it has batches: a head, and its events.
inline constexpr std::string_view kJournalMagic = "modelmill experiment 1\n";
inline constexpr size_t kMostOfJournalBatch = 65'536;

struct JournalBatchHead {
  uint32_t events = 0;
  uint32_t checksum = 0;
};

inline uint32_t journal_checksum(const char* data, size_t size) {
  return static_cast<uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(data), static_cast<uInt>(size)));
}

}  // namespace modelmill
