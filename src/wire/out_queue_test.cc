#include "wire/out_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "wire/body_buffer.h"
#include "wire/stream_out.h"

namespace modelmill::wire {
namespace {

std::string drain(OutQueue& queue, size_t step) {
  std::string all;
  std::array<iovec, 7> iov;
  while (!queue.empty()) {
    const size_t n = queue.gather(iov);
    size_t left = step;
    size_t taken = 0;
    for (size_t i = 0; i < n && left > 0; ++i) {
      const size_t take = std::min(left, iov[i].iov_len);
      all.append(static_cast<const char*>(iov[i].iov_base), take);
      left -= take;
      taken += take;
    }
    queue.consume(taken);
  }
  return all;
}

TEST(OutQueue, KeepsTheOrderOfCopiedAndSharedBytes) {
  for (const size_t step : {1u, 3u, 1000u, 100'000u}) {
    std::mt19937 random(17);
    OutQueue queue;
    std::string expected;
    for (int i = 0; i < 60; ++i) {
      const std::string piece(random() % 3000, static_cast<char>('a' + i % 26));
      expected += piece;
      if (i % 2 == 0)
        queue.append_copy(piece);
      else
        queue.append(Bytes::from_string(piece));
    }
    EXPECT_EQ(queue.size(), expected.size());
    EXPECT_EQ(drain(queue, step), expected);
  }
}

TEST(OutQueue, SharesLargeBytesAndLetsThemGoWhenSent) {
  OutQueue queue;
  MemoryRef memory = Memory::allocate(100'000);
  const std::byte* data = memory->data();
  queue.append(Bytes(std::move(memory)));
  std::array<iovec, 4> iov;
  ASSERT_EQ(queue.gather(iov), 1u);
  EXPECT_EQ(iov[0].iov_base, data);
  queue.consume(100'000);
  EXPECT_TRUE(queue.empty());
}

TEST(StreamOut, PrefixesMessagesAndMovesAnyAmount) {
  for (const size_t step : {1u, 2u, 5u, 7u, 4096u}) {
    StreamOut stream;
    stream.append_message({Bytes::copy_of("hello "), Bytes::copy_of("world")});
    stream.append_message({});
    stream.append_message({Bytes::copy_of(std::string(3000, 'x'))});
    OutQueue queue;
    while (stream.size() > 0) stream.move_to(queue, std::min(step, stream.size()));
    const std::string expected =
        std::string("\0\0\0\0\x0bhello world\0\0\0\0\0\0\0\0\x0b\xb8", 26) + std::string(3000, 'x');
    EXPECT_EQ(drain(queue, 9999), expected) << step;
  }
}

TEST(BodyBuffer, AnnouncedSizeIsNotAllocatedBeforeItArrives) {
  constexpr size_t kMega = size_t{1} << 20;
  EXPECT_EQ(allowed_capacity(0, 100), 100u);
  constexpr size_t kFree = kMega + kMega / 16;
  EXPECT_EQ(allowed_capacity(0, size_t{16} << 30), kFree);
  EXPECT_EQ(allowed_capacity(kMega, size_t{16} << 30), 8 * kMega + kFree);
  EXPECT_EQ(allowed_capacity(SIZE_MAX / 2, SIZE_MAX), SIZE_MAX);
  BodyBuffer body;
  body.expect(size_t{1} << 40);
  EXPECT_EQ(body.room().size(), kFree);
}

TEST(BodyBuffer, AMegabyteWithJsonInFrontIsNeverMoved) {
  const std::string json(333, 'j');
  const std::string tensor(size_t{1} << 20, 't');
  BodyBuffer body;
  body.align_at(json.size());
  body.expect(json.size() + tensor.size());
  body.append(std::as_bytes(std::span(json)));
  const std::byte* const begin = body.room().data();
  body.append(std::as_bytes(std::span(tensor)));
  const Bytes bytes = body.take();
  EXPECT_EQ(bytes.data() + json.size(), begin);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(begin) % kAlignment, 0u);
  EXPECT_EQ(bytes.view(), json + tensor);
  const std::byte* const end = bytes.data() + bytes.size() + BodyBuffer::kPadding;
  EXPECT_LE(end, bytes.memory()->data() + bytes.memory()->size());
}

TEST(BodyBuffer, GathersAlignedBytesOfKnownAndUnknownLength) {
  const std::string text(5'000'000, 'z');
  for (const bool known : {true, false}) {
    BodyBuffer body;
    if (known) body.expect(text.size());
    for (size_t at = 0; at < text.size(); at += 70'001)
      body.append(std::as_bytes(std::span(text).subspan(at, std::min<size_t>(70'001, text.size() - at))));
    const Bytes bytes = body.take();
    EXPECT_EQ(bytes.view(), text);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment, 0u);
    EXPECT_EQ(body.size(), 0u);
  }
}

}  // namespace
}  // namespace modelmill::wire
