#include "catalog/answer_memory.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace modelmill {
namespace {

using Known = AnswerMemory::Known;

MemberAnswers answers_of(size_t bytes) {
  static const auto names = std::make_shared<const std::vector<std::string>>(1, "m");
  return {names, {0}, DataType::kFp32, {1}, {std::string(bytes, 'x')}};
}

TEST(AnswerMemoryTest, RemembersUntilItIsCounted) {
  AnswerMemory memory;
  EXPECT_EQ(memory.find(1).known, Known::kUnknown);
  memory.put(1, answers_of(4));
  const auto found = memory.find(1);
  ASSERT_EQ(found.known, Known::kWaits);
  EXPECT_EQ(found.answers->data.at(0), "xxxx");
  const size_t before = memory.byte_size();
  memory.mark_counted(1);
  EXPECT_EQ(memory.find(1).known, Known::kCounted);
  EXPECT_LT(memory.byte_size(), before);
  EXPECT_EQ(found.answers->data.at(0), "xxxx") << "who has found them keeps them";
  memory.mark_counted(1);
  memory.mark_counted(2);
  EXPECT_EQ(memory.size(), 1U);
}

TEST(AnswerMemoryTest, NothingIsLeftOfWhatIsCleared) {
  AnswerMemory memory(3);
  for (uint64_t id = 0; id < 5; ++id) memory.put(id, answers_of(4));
  memory.clear();
  EXPECT_EQ(memory.size(), 0U);
  EXPECT_EQ(memory.byte_size(), 0U);
  EXPECT_EQ(memory.find(4).known, Known::kUnknown);
  memory.put(4, answers_of(4));
  EXPECT_EQ(memory.find(4).known, Known::kWaits);
}

TEST(AnswerMemoryTest, TheOldestLeaveByCount) {
  AnswerMemory memory(3);
  for (uint64_t id = 0; id < 10; ++id) memory.put(id, answers_of(4));
  EXPECT_EQ(memory.size(), 3U);
  EXPECT_EQ(memory.find(6).known, Known::kUnknown);
  EXPECT_EQ(memory.find(7).known, Known::kWaits);
}

TEST(AnswerMemoryTest, TheOldestLeaveByBytes) {
  AnswerMemory memory(1'000, 10'000);
  for (uint64_t id = 0; id < 100; ++id) {
    memory.put(id, answers_of(1'000));
    ASSERT_LE(memory.byte_size(), 10'000U);
  }
  EXPECT_GE(memory.size(), 5U);
  EXPECT_EQ(memory.find(99).known, Known::kWaits);
  EXPECT_EQ(memory.find(0).known, Known::kUnknown);
  memory.put(100, answers_of(20'000));
  EXPECT_EQ(memory.find(100).known, Known::kUnknown) << "alone it is more than all may be";
  EXPECT_EQ(memory.find(99).known, Known::kWaits) << "and drives nobody out";
}

TEST(AnswerMemoryTest, AnIdThatComesAgainTakesNoMoreRoom) {
  AnswerMemory memory(3);
  memory.put(1, answers_of(4));
  const size_t bytes = memory.byte_size();
  for (int i = 0; i < 100; ++i) memory.put(1, answers_of(4));
  EXPECT_EQ(memory.size(), 1U);
  EXPECT_EQ(memory.byte_size(), bytes);
  memory.mark_counted(1);
  memory.put(1, answers_of(5));
  EXPECT_EQ(memory.find(1).answers->data.at(0).size(), 5U) << "it is another request";
  for (uint64_t id = 2; id < 5; ++id) memory.put(id, answers_of(4));
  EXPECT_EQ(memory.find(1).known, Known::kUnknown);
  EXPECT_EQ(memory.size(), 3U);
}

TEST(AnswerMemoryTest, ManyThreadsKeepToTheBounds) {
  AnswerMemory memory(50, 20'000);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&memory, t] {
      for (uint64_t i = 0; i < 2'000; ++i) {
        memory.put(t * 10'000 + i % 70, answers_of(i % 300));
        if (memory.find(i).known == Known::kWaits) memory.mark_counted(i);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(memory.size(), 50U);
  EXPECT_LE(memory.byte_size(), 20'000U);
}

}  // namespace
}  // namespace modelmill
