#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/status.h"

namespace modelmill::tfserving {

/// One of a PredictRequest's inputs, taken apart.
struct ScannedTensor {
  std::string name;
  /// Every field of the TensorProto but those of `content` and `packed`, unparsed.
  boost::container::small_vector<char, 128> fields;
  /// tensor_content, the last of them.
  Bytes content;
  /// The packed float_val or double_val, whose bytes are the elements, in pieces as they came.
  boost::container::small_vector<Bytes, 1> packed_floats, packed_doubles;
};

/// Takes a serialised PredictRequest apart as its bytes arrive: the elements of each tensor that come as they lie in
/// memory land once, in a 64-byte-aligned memory of their own. Not synchronised; reused from message to message by
/// begin().
class PredictScanner {
 public:
  /// A message of `length` bytes follows.
  void begin(size_t length);
  /// Any piece of it. After an error what follows is ignored.
  void feed(std::span<const std::byte> bytes);
  /// The message is complete: OK, or INVALID_ARGUMENT when its bytes are no message.
  Status end();

  /// The serialised ModelSpec; empty when there is none or it is empty.
  std::string_view model_spec() const { return model_spec_; }
  bool has_model_spec() const { return has_model_spec_; }
  const std::vector<std::string>& output_filter() const { return output_filter_; }
  /// Names may repeat: the last one counts. The caller may move the contents out.
  boost::container::small_vector<ScannedTensor, 2>& tensors() { return tensors_; }
  /// Bytes of what is not in its place yet.
  size_t unparsed_bytes() const;

 private:
  enum class State : uint8_t { kTag, kVarint, kFixed, kLength, kCopy, kContent, kBroken };
  enum Level : size_t { kRequest, kEntry, kTensor, kLevels };

  void on_tag();
  void on_length();
  void on_entry_length();
  void on_tensor_length();
  void enter();
  void finish_content();
  /// Back to a tag, of the message around when this one is over.
  void next_field();
  bool take_varint(uint8_t byte);
  void begin_varint(State state) {
    state_ = state;
    varint_ = 0;
    shift_ = 0;
  }
  void keep_varint(uint64_t value);
  void spend(size_t bytes) {
    for (size_t i = 0; i <= level_; ++i) left_in_[i] -= bytes;
  }

  std::string model_spec_;
  bool has_model_spec_ = false;
  std::vector<std::string> output_filter_;
  boost::container::small_vector<ScannedTensor, 2> tensors_;

  std::array<uint64_t, kLevels> left_in_{};  // bytes to come of each message that is open
  size_t level_ = kRequest;
  std::string* copy_ = nullptr;  // where kCopy goes at the outer levels; null: nowhere
  MemoryRef filling_;
  size_t filled_ = 0;
  uint64_t varint_ = 0;
  uint64_t left_ = 0;  // of the value in progress
  uint32_t shift_ = 0;
  uint32_t tag_ = 0;
  State state_ = State::kTag;
};

}  // namespace modelmill::tfserving
