#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <cstddef>
#include <cstdint>

#include "tensor/tensor.h"
#include "wire/out_queue.h"

namespace modelmill::wire {

/// What one HTTP/2 stream has yet to send: gRPC messages with their length prefixes, or plain bytes. Shares, never
/// copies.
class StreamOut {
 public:
  /// A gRPC message: five bytes of prefix, then the bytes.
  void append_message(Chunks message, bool compressed = false);
  void append(Chunks bytes);

  size_t size() const { return size_; }
  /// Moves the next `n` bytes to the connection.
  void move_to(OutQueue& out, size_t n);
  void clear();
  /// Something of the current piece has been sent and something has not.
  bool in_piece() const { return part_sent_; }

 private:
  struct Piece {
    Bytes bytes;
    std::array<char, 5> prefix;
    uint8_t prefix_left = 0;
  };
  boost::container::small_vector<Piece, 1> pieces_;
  size_t first_ = 0;
  size_t size_ = 0;
  bool part_sent_ = false;
};

}  // namespace modelmill::wire
