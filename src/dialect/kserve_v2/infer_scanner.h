#pragma once

#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/status.h"

namespace modelmill::kserve_v2 {

/// Takes a serialised ModelInferRequest apart as its bytes arrive: each raw_input_contents lands once in a
/// 64-byte-aligned memory of its own, and every other field, unparsed, in one small buffer. Not synchronised; reused
/// from message to message by begin().
class InferScanner {
 public:
  /// A message of `length` bytes follows.
  void begin(size_t length);
  /// Any piece of it. After an error what follows is ignored.
  void feed(std::span<const std::byte> bytes);
  /// The message is complete: OK, or INVALID_ARGUMENT when its bytes are no message.
  Status end();

  /// The fields other than raw_input_contents, in their order.
  std::string_view fields() const { return {fields_.data(), fields_.size()}; }
  /// The raw_input_contents, in their order; the caller may move them out.
  boost::container::small_vector<Bytes, 2>& raw_contents() { return raw_; }

 private:
  enum class State : uint8_t { kTag, kVarint, kFixed, kLength, kCopy, kRaw, kBroken };

  void on_tag();
  void on_length();
  /// Takes one byte of a varint; true when it was the last.
  bool take_varint(uint8_t byte);
  void begin_varint(State state) {
    state_ = state;
    varint_ = 0;
    shift_ = 0;
  }

  boost::container::small_vector<char, 256> fields_;
  boost::container::small_vector<Bytes, 2> raw_;
  MemoryRef filling_;    // the raw content in progress
  size_t filled_ = 0;    // of filling_
  uint64_t varint_ = 0;  // in progress
  uint64_t left_ = 0;    // bytes of the value in progress still to come
  uint64_t message_left_ = 0;
  uint32_t shift_ = 0;
  uint32_t tag_ = 0;
  State state_ = State::kTag;
};

}  // namespace modelmill::kserve_v2
