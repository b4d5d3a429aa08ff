#include "wire/stream_out.h"

#include <algorithm>
#include <utility>

namespace modelmill::wire {

void StreamOut::append_message(Chunks message, bool compressed) {
  size_t length = 0;
  for (const Bytes& bytes : message) length += bytes.size();
  Piece first;
  first.prefix = {static_cast<char>(compressed), static_cast<char>(length >> 24), static_cast<char>(length >> 16),
                  static_cast<char>(length >> 8), static_cast<char>(length)};
  first.prefix_left = 5;
  if (!message.empty()) first.bytes = std::move(message[0]);
  pieces_.push_back(std::move(first));
  for (size_t i = 1; i < message.size(); ++i) pieces_.push_back({std::move(message[i]), {}, 0});
  size_ += 5 + length;
}

void StreamOut::append(Chunks bytes) {
  for (Bytes& piece : bytes) {
    if (piece.empty()) continue;
    size_ += piece.size();
    pieces_.push_back({std::move(piece), {}, 0});
  }
}

void StreamOut::move_to(OutQueue& out, size_t n) {
  size_ -= n;
  while (n > 0) {
    Piece& piece = pieces_[first_];
    const size_t prefix = std::min<size_t>(n, piece.prefix_left);
    out.append_copy({piece.prefix.data() + 5 - piece.prefix_left, prefix});
    piece.prefix_left = static_cast<uint8_t>(piece.prefix_left - prefix);
    n -= prefix;
    const size_t take = std::min(n, piece.bytes.size());
    if (take < piece.bytes.size() || piece.prefix_left > 0) {
      out.append(piece.bytes.slice(0, take));
      piece.bytes = piece.bytes.slice(take, piece.bytes.size() - take);
      part_sent_ = true;
      return;
    }
    out.append(piece.bytes);
    n -= take;
    piece = {};
    ++first_;
    part_sent_ = false;
  }
  if (first_ == pieces_.size()) {
    pieces_.clear();
    first_ = 0;
  }
}

void StreamOut::clear() {
  pieces_.clear();
  first_ = 0;
  size_ = 0;
  part_sent_ = false;
}

}  // namespace modelmill::wire
