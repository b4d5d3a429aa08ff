#include "link.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "testing/worker_end.h"

namespace modelmill::python {
namespace {

using testing::frame_of;
using testing::WorkerEnd;
using testing::WorkerMemory;

constexpr uint64_t kLinkLimit = uint64_t{1} << 20;

class LinkTest : public ::testing::Test {
 protected:
  WorkerEnd worker_;
  int unsent_ = 0;
  Link link_{worker_.take_server_end(), kLinkLimit, [this] { ++unsent_; }};
};

TEST_F(LinkTest, FramesComeWholeHoweverTheyAreCut) {
  const std::string frames = frame_of(FrameType::kLog, 7, "abc") + frame_of(FrameType::kFree, 8);
  Frame frame{};
  for (size_t i = 0; i < frames.size(); ++i) {
    if (i < 19) EXPECT_FALSE(link_.receive(frame, false)) << i;
    worker_.send(frames.substr(i, 1));
  }
  ASSERT_TRUE(link_.receive(frame, false));
  EXPECT_EQ(frame.type, FrameType::kLog);
  EXPECT_EQ(frame.id, 7u);
  EXPECT_EQ(FrameReader(frame.body).rest(), "abc");
  ASSERT_TRUE(link_.receive(frame, true));
  EXPECT_EQ(frame.id, 8u);
  EXPECT_TRUE(frame.body.empty());
  EXPECT_FALSE(link_.ended());
}

TEST_F(LinkTest, AFrameLargerThanTheBuffer) {
  const std::string text(300'000, 'x');
  std::thread sending([&] { worker_.send(frame_of(FrameType::kLog, 1, text)); });
  Frame frame{};
  EXPECT_TRUE(link_.receive(frame, true));
  EXPECT_EQ(FrameReader(frame.body).rest(), text);
  sending.join();
}

TEST_F(LinkTest, ItsMemoryIsMapped) {
  WorkerMemory memory(8192);
  memory.put(100, "hello");
  worker_.send_region(3, memory);
  worker_.send(frame_of(FrameType::kFree, 1));
  Frame frame{};
  ASSERT_TRUE(link_.receive(frame, true));
  const auto region = link_.region(3);
  ASSERT_TRUE(region);
  EXPECT_EQ(std::memcmp(region->data() + 100, "hello", 5), 0);
  EXPECT_FALSE(link_.region(4));
}

TEST_F(LinkTest, TheEndIsTold) {
  Frame frame{};
  EXPECT_FALSE(link_.receive(frame, false));
  EXPECT_FALSE(link_.ended());
  worker_.finish();
  EXPECT_FALSE(link_.receive(frame, true));
  EXPECT_TRUE(link_.ended());
}

TEST_F(LinkTest, WhatCameBeforeItWasShutIsReceived) {
  worker_.send(frame_of(FrameType::kLog, 1, "last words"));
  link_.shut();
  Frame frame{};
  ASSERT_TRUE(link_.receive(frame, true));
  EXPECT_EQ(FrameReader(frame.body).rest(), "last words");
  EXPECT_FALSE(link_.receive(frame, true));
  EXPECT_TRUE(link_.ended());
}

TEST_F(LinkTest, WhatItMayNotSend) {
  struct Case {
    const char* words;
    std::function<void(WorkerEnd&)> say;
  };
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const int file_fd = file.get();
  WorkerMemory small(4096), unsealed(4096, false), large(2 * kLinkLimit);
  const Case cases[] = {
      {"a frame of 3 bytes", [](auto& w) { w.send(std::string("\3\0\0\0", 4) + std::string(12, '\0')); }},
      {"a frame of 4294967295 bytes", [](auto& w) { w.send(std::string(16, '\xff')); }},
      {"without a file descriptor", [](auto& w) { w.send(frame_of(FrameType::kRegion, 0, uint32_t{1}, uint64_t{9})); }},
      {"ends too early", [](auto& w) { w.send(frame_of(FrameType::kRegion, 0, uint32_t{1})); }},
      {"not sealed", [&](auto& w) { w.send_region(0, unsealed); }},
      {"of another size", [&](auto& w) { w.send_region(0, small, 8192); }},
      {"more shared memory", [&](auto& w) { w.send_region(0, large); }},
      {"memory number 0", [&](auto& w) { w.send_region(0, small), w.send_region(0, small); }},
      {"memory number 2147483648", [&](auto& w) { w.send_region(1u << 31, small); }},
      {"not a memfd",
       [&](auto& w) {
         w.send(frame_of(FrameType::kRegion, 0, uint32_t{0}, uint64_t{9}), {&file_fd, 1});
       }},
      {"too many file descriptors",
       [](auto& w) {
         const int fds[20] = {};
         w.send(frame_of(FrameType::kFree, 0), fds);
       }},
  };
  for (const Case& one : cases) {
    WorkerEnd worker;
    Link link(worker.take_server_end(), kLinkLimit, [] {});
    one.say(worker);
    worker.finish();
    try {
      Frame frame{};
      while (link.receive(frame, true)) {
      }
      ADD_FAILURE() << one.words << ": nothing is wrong";
    } catch (const ProtocolError& e) {
      EXPECT_THAT(e.what(), ::testing::HasSubstr(one.words));
    }
  }
}

TEST_F(LinkTest, WhatTheSocketDoesNotTakeWaits) {
  const std::string frame = frame_of(FrameType::kHello, 0, std::string(100'000, 'x'));
  int sent = 0;
  while (unsent_ == 0) link_.send(frame), ++sent;
  EXPECT_FALSE(link_.flush());
  size_t received = 0;
  while (!link_.flush()) received += worker_.received_bytes();
  EXPECT_EQ(received + worker_.received_bytes(), static_cast<size_t>(sent) * frame.size());
}

TEST_F(LinkTest, RegionsGoBeforeTheFrameThatNeedsThem) {
  const auto block = link_.arena().allocate(100);
  link_.send(frame_of(FrameType::kStop, 0));
  link_.send(frame_of(FrameType::kStop, 0));
  EXPECT_THAT(worker_.received(), ::testing::ElementsAre(FrameType::kRegion, FrameType::kStop, FrameType::kStop));
}

}  // namespace
}  // namespace modelmill::python
