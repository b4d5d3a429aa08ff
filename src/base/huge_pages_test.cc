#include "base/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace modelmill {
namespace {

constexpr size_t kHuge = size_t{2} << 20;

/// Anonymous memory in huge pages, of the whole process.
size_t huge_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string line; std::getline(rollup, line);)
    if (line.starts_with("AnonHugePages:")) return std::stoull(line.substr(14)) << 10;
  return 0;
}

bool can_have_huge_pages() {
  std::ifstream enabled("/sys/kernel/mm/transparent_hugepage/enabled");
  std::string text;
  std::getline(enabled, text);
  utsname kernel{};
  int major = 0, minor = 0;
  if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%d.%d", &major, &minor) != 2) return false;
  return !text.empty() && text.find("[never]") == std::string::npos && (major > 6 || (major == 6 && minor >= 1));
}

TEST(HugePages, WhatIsUsedThroughoutMoves) {
  const size_t size = 8 * kHuge;
  auto* memory = static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  ::madvise(memory, size, MADV_NOHUGEPAGE);  // filled with small pages, whatever the machine does by itself
  for (size_t i = 0; i < size; ++i) memory[i] = static_cast<char>(i / 4096);
  ::madvise(memory, size, MADV_HUGEPAGE);
  const size_t before = huge_bytes(), moved = use_huge_pages(std::chrono::seconds(30));
  if (can_have_huge_pages()) {
    EXPECT_GE(huge_bytes(), before + 6 * kHuge) << "all but the ends, which make no whole one";
    EXPECT_GE(moved, 6 * kHuge);
  }
  for (size_t i = 0; i < size; ++i) ASSERT_EQ(memory[i], static_cast<char>(i / 4096)) << i;
  ::munmap(memory, size);
}

TEST(HugePages, WhatIsUsedHereAndThereStays) {
  const size_t size = 8 * kHuge;
  auto* memory = static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  ::madvise(memory, size, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < size; i += kHuge / 4) memory[i] = 1;
  ::madvise(memory, size, MADV_HUGEPAGE);
  const size_t before = huge_bytes();
  use_huge_pages(std::chrono::seconds(30));
  EXPECT_LT(huge_bytes(), before + kHuge) << "memory was added";
  ::munmap(memory, size);
}

TEST(HugePages, WithoutTimeNothingIsDone) { EXPECT_EQ(use_huge_pages({}), 0U); }

}  // namespace
}  // namespace modelmill
