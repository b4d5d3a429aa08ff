#include "arena.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "modelmill/backend.hpp"

namespace modelmill::python {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

TEST(Arena, BlocksAreAlignedAndApart) {
  const auto arena = std::make_shared<Arena>(4 * kMiB);
  std::map<uint64_t, std::shared_ptr<Arena::Block>> blocks;
  for (const uint64_t size : {1, 64, 65, 1000, 0}) {
    auto block = arena->allocate(size);
    EXPECT_EQ(block->region(), 0u);
    EXPECT_EQ(block->offset() % 64, 0u);
    EXPECT_GE(block->size(), size);
    const uint64_t offset = block->offset();
    blocks.emplace(offset, std::move(block));
  }
  ASSERT_EQ(blocks.size(), 5u);
  uint64_t end = 0;
  for (const auto& [offset, block] : blocks) {
    EXPECT_GE(offset, end);
    end = offset + block->size();
  }
}

TEST(Arena, RoomOfWhatIsFreeIsOneAgain) {
  const auto arena = std::make_shared<Arena>(kMiB);
  std::vector<std::shared_ptr<Arena::Block>> blocks;
  for (int i = 0; i < 16; ++i) blocks.push_back(arena->allocate(kMiB / 16));
  EXPECT_THROW((void)arena->allocate(1), backend::Error);
  for (const size_t i : {3, 5, 4, 0, 15, 1, 14, 2, 6, 7, 13, 8, 12, 9, 11, 10}) blocks[i].reset();
  EXPECT_EQ(arena->allocate(kMiB)->offset(), 0u);
}

TEST(Arena, GrowsUpToItsBound) {
  const auto arena = std::make_shared<Arena>(4 * kMiB);
  const auto first = arena->allocate(kMiB);
  const auto second = arena->allocate(2 * kMiB);
  EXPECT_NE(first->region(), second->region());
  const auto third = arena->allocate(kMiB);
  try {
    (void)arena->allocate(1);
    ADD_FAILURE() << "there is more than the bound";
  } catch (const backend::Error& e) {
    EXPECT_EQ(e.code(), MM_RESOURCE_EXHAUSTED);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("shared_memory_mb"));
  }
  EXPECT_THROW((void)arena->allocate(UINT64_MAX), backend::Error);
  EXPECT_THROW((void)arena->allocate(UINT64_MAX - 70), backend::Error);
}

TEST(Arena, TellsOfEachRegionOnce) {
  const auto arena = std::make_shared<Arena>(8 * kMiB);
  EXPECT_TRUE(arena->take_new().empty());
  const auto first = arena->allocate(1);
  EXPECT_EQ(arena->take_new().size(), 1u);
  const auto second = arena->allocate(2 * kMiB);
  const auto told = arena->take_new();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].id, second->region());
}

TEST(Arena, GivesBackWhatLargeRegionsHeld) {
  const auto arena = std::make_shared<Arena>(64 * kMiB);
  auto block = arena->allocate(16 * kMiB);
  auto* const data = block->data();
  data[0] = std::byte{7};
  const auto keeps = arena->take_new();
  const auto later = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  arena->trim(later);
  EXPECT_EQ(data[0], std::byte{7}) << "it is in use";
  block.reset();
  arena->trim(std::chrono::steady_clock::now());
  EXPECT_EQ(data[0], std::byte{7}) << "it may be wanted at once";
  arena->trim(later);
  EXPECT_EQ(data[0], std::byte{0});
  EXPECT_EQ(arena->allocate(16 * kMiB)->data(), data);
}

TEST(Arena, ManyBlocksAtRandomNeverMeet) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 chance(seed);
  const auto arena = std::make_shared<Arena>(8 * kMiB);
  std::vector<std::pair<std::shared_ptr<Arena::Block>, std::byte>> blocks;
  for (int turn = 0; turn < 3000; ++turn) {
    if (blocks.size() < 40 && chance() % 2 == 0) {
      auto block = arena->allocate(1 + chance() % 20'000);
      const auto mark = static_cast<std::byte>(turn);
      std::fill_n(block->data(), block->size(), mark);
      blocks.emplace_back(std::move(block), mark);
    } else if (!blocks.empty()) {
      const size_t i = chance() % blocks.size();
      const auto& [block, mark] = blocks[i];
      ASSERT_TRUE(std::all_of(block->data(), block->data() + block->size(), [&](std::byte b) { return b == mark; }));
      blocks.erase(blocks.begin() + static_cast<ptrdiff_t>(i));
    }
  }
}

}  // namespace
}  // namespace modelmill::python
