#include "wire/zero_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>
#include <vector>

namespace modelmill::wire {
namespace {

bool has_memory(void* page) {
  unsigned char resident = 0;
  EXPECT_EQ(::mincore(page, ZeroPage::kSize, &resident), 0);
  return (resident & 1) != 0;
}

std::string contents(const ZeroPage& page) { return {static_cast<const char*>(page.get()), ZeroPage::kSize}; }

TEST(ZeroPage, KeepsItsMemoryOnlyWhileItHoldsSomething) {
  ZeroPage page;
  ASSERT_NE(page.take(), nullptr);
  EXPECT_EQ(contents(page), std::string(ZeroPage::kSize, '\0'));
  for (const size_t at : {size_t{0}, size_t{1}, ZeroPage::kSize - 1}) {
    std::string wanted(ZeroPage::kSize, '\0');
    wanted[at] = 'x';
    static_cast<char*>(page.get())[at] = 'x';
    page.rest();
    EXPECT_TRUE(has_memory(page.get()));
    EXPECT_EQ(contents(page), wanted);
    static_cast<char*>(page.get())[at] = '\0';
    page.rest();
    EXPECT_FALSE(has_memory(page.get()));
    EXPECT_EQ(contents(page), std::string(ZeroPage::kSize, '\0'));
  }
}

TEST(ZeroPage, IsZeroForTheNextOwnerToo) {
  for (int round = 0; round < 2; ++round) {
    std::vector<ZeroPage> pages(1000);
    for (ZeroPage& page : pages) {
      ASSERT_NE(page.take(), nullptr);
      ASSERT_EQ(contents(page), std::string(ZeroPage::kSize, '\0'));
      std::memset(page.get(), 'x', ZeroPage::kSize);
    }
    for (const ZeroPage& page : pages) ASSERT_EQ(contents(page), std::string(ZeroPage::kSize, 'x'));
  }
}

TEST(ZeroPage, KnowsItsOwn) {
  ZeroPage page;
  auto* bytes = static_cast<char*>(page.take());
  const std::string other = "other";
  EXPECT_TRUE(ZeroPage::holds(bytes));
  EXPECT_TRUE(ZeroPage::holds(bytes + ZeroPage::kSize - 1));
  EXPECT_FALSE(ZeroPage::holds(other.data()));
  EXPECT_FALSE(ZeroPage::holds(nullptr));
}

}  // namespace
}  // namespace modelmill::wire
