#include "base/huge_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace modelmill {
namespace {

constexpr uintptr_t kHuge = uintptr_t{2} << 20, kSmall = 4'096;
constexpr size_t kSmallInHuge = kHuge / kSmall;
constexpr uintptr_t kAtOnce = 32 * kHuge;
/// Of an entry of /proc/self/pagemap: the page is in memory (Linux, Documentation/admin-guide/mm/pagemap.rst).
constexpr uint64_t kPresent = uint64_t{1} << 63;

using Range = std::pair<uintptr_t, uintptr_t>;

/// Writable, private and of no file.
std::vector<Range> anonymous_memory() {
  std::vector<Range> ranges;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    char access[5] = {};
    unsigned long inode = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu", &begin, &end, access, &inode) != 4)
      continue;
    const bool plain = inode == 0 && access[0] == 'r' && access[1] == 'w' && access[3] == 'p';
    if (plain && line.find("[stack") == std::string::npos) ranges.emplace_back(begin, end);
  }
  return ranges;
}

/// All small pages from `begin` on that make a huge one are in memory.
bool is_full(int pagemap, uintptr_t begin) {
  std::array<uint64_t, kSmallInHuge> entries{};
  const auto bytes = static_cast<ssize_t>(sizeof entries);
  if (::pread(pagemap, entries.data(), sizeof entries, static_cast<off_t>(begin / kSmall * sizeof(uint64_t))) != bytes)
    return false;
  for (const uint64_t entry : entries)
    if ((entry & kPresent) == 0) return false;
  return true;
}

}  // namespace

size_t use_huge_pages(Duration budget) {
  if (::sysconf(_SC_PAGESIZE) != static_cast<long>(kSmall)) return 0;
  const int pagemap = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return 0;
  const TimePoint until = Clock::now() + budget;
  size_t bytes = 0;
  for (const auto& [begin, end] : anonymous_memory()) {
    uintptr_t at = (begin + kHuge - 1) & ~(kHuge - 1);
    while (at + kHuge <= end && Clock::now() < until) {
      uintptr_t full_to = at;  // many at once: each call costs as much as moving several
      while (full_to + kHuge <= end && full_to - at < kAtOnce && is_full(pagemap, full_to)) full_to += kHuge;
      if (full_to > at && ::madvise(reinterpret_cast<void*>(at), full_to - at, MADV_COLLAPSE) == 0)
        bytes += full_to - at;
      at = std::max(full_to, at + kHuge);
    }
  }
  ::close(pagemap);
  return bytes;
}

}  // namespace modelmill
