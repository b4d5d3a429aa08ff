#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace modelmill::wire {

/// Cuts the bytes of a call into messages: one byte that says whether it is compressed, four of length (big-endian),
/// and the message; whatever pieces they arrive in.
class GrpcDeframer {
 public:
  class Sink {
   public:
    /// False: stop, and feed() does nothing from now on.
    virtual bool on_frame_begin(bool compressed, uint32_t length) = 0;
    virtual bool on_frame_bytes(std::span<const std::byte> bytes) = 0;
    virtual bool on_frame_end() = 0;

   protected:
    ~Sink() = default;
  };

  /// Returns what it has left: nothing, unless the sink has called pause().
  std::span<const std::byte> feed(std::span<const std::byte> bytes, Sink& sink);
  /// Until resume() nothing more is taken. For the sink, inside its calls.
  void pause() { paused_ = true; }
  void resume() { paused_ = false; }
  /// The bytes so far end inside a message.
  bool inside_message() const { return prefix_filled_ > 0; }

 private:
  std::array<std::byte, 5> prefix_;
  size_t prefix_filled_ = 0;  // 5: the message itself is arriving
  uint32_t left_ = 0;
  bool stopped_ = false;
  bool paused_ = false;
};

}  // namespace modelmill::wire
