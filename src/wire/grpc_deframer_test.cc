#include "wire/grpc_deframer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace modelmill::wire {
namespace {

struct Recorder final : GrpcDeframer::Sink {
  bool on_frame_begin(bool compressed, uint32_t length) override {
    messages.emplace_back();
    compressions.push_back(compressed);
    announced.push_back(length);
    return messages.size() <= accept;
  }
  bool on_frame_bytes(std::span<const std::byte> bytes) override {
    messages.back().append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }
  bool on_frame_end() override {
    ++ended;
    return true;
  }
  std::vector<std::string> messages;
  std::vector<bool> compressions;
  std::vector<uint32_t> announced;
  size_t ended = 0;
  size_t accept = SIZE_MAX;
};

std::string frame(const std::string& message, char flag = 0) {
  const auto n = static_cast<uint32_t>(message.size());
  return std::string{flag, static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
                     static_cast<char>(n)} +
         message;
}

TEST(GrpcDeframer, AnySplitGivesTheSameMessages) {
  const std::string all = frame("hello") + frame("") + frame(std::string(300, 'x'), 1) + frame("end");
  for (size_t piece = 1; piece <= all.size(); ++piece) {
    GrpcDeframer deframer;
    Recorder recorder;
    for (size_t at = 0; at < all.size(); at += piece)
      deframer.feed(std::as_bytes(std::span(all).subspan(at, std::min(piece, all.size() - at))), recorder);
    EXPECT_EQ(recorder.messages, (std::vector<std::string>{"hello", "", std::string(300, 'x'), "end"}));
    EXPECT_EQ(recorder.compressions, (std::vector<bool>{false, false, true, false}));
    EXPECT_EQ(recorder.ended, 4u);
    EXPECT_FALSE(deframer.inside_message());
  }
}

TEST(GrpcDeframer, KnowsThatAMessageIsNotComplete) {
  const std::string one = frame("hello");
  for (size_t n = 1; n < one.size(); ++n) {
    GrpcDeframer deframer;
    Recorder recorder;
    deframer.feed(std::as_bytes(std::span(one).first(n)), recorder);
    EXPECT_TRUE(deframer.inside_message()) << n;
  }
}

TEST(GrpcDeframer, ARefusedMessageIsTheLast) {
  const std::string all = frame("a") + frame("b") + frame("c");
  GrpcDeframer deframer;
  Recorder recorder;
  recorder.accept = 1;
  deframer.feed(std::as_bytes(std::span(all)), recorder);
  deframer.feed(std::as_bytes(std::span(all)), recorder);
  EXPECT_EQ(recorder.messages.size(), 2u);
  EXPECT_EQ(recorder.ended, 1u);
}

}  // namespace
}  // namespace modelmill::wire
