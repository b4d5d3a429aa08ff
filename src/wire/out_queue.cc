#include "wire/out_queue.h"

#include <algorithm>
#include <cstring>

namespace modelmill::wire {
namespace {

constexpr size_t kBlockSize = 16 * 1024;
/// Up to here a copy costs less than one more piece in the system call.
constexpr size_t kCopyLimit = 1024;

/// Blocks of idle connections, kept for the next one of the thread that has something to send.
constexpr size_t kSpareBlocks = 32;
thread_local std::vector<MemoryRef> t_spare;

MemoryRef take_block() {
  if (t_spare.empty()) return Memory::allocate(kBlockSize);
  MemoryRef block = std::move(t_spare.back());
  t_spare.pop_back();
  return block;
}

}  // namespace

OutQueue::~OutQueue() = default;

void OutQueue::append_copy(std::string_view text) {
  size_ += text.size();
  while (!text.empty()) {
    if (!block_ || block_used_ == kBlockSize) {
      block_ = take_block();
      block_used_ = 0;
    }
    std::byte* to = block_->data() + block_used_;
    const size_t n = std::min(text.size(), kBlockSize - block_used_);
    std::memcpy(to, text.data(), n);
    block_used_ += n;
    text.remove_prefix(n);
    if (first_ < pieces_.size() && pieces_.back().data + pieces_.back().size == to &&
        pieces_.back().owner.get() == block_.get()) {
      pieces_.back().size += n;
    } else {
      pieces_.push_back({to, n, block_});
    }
  }
}

void OutQueue::append(const Bytes& bytes) {
  if (bytes.size() <= kCopyLimit) return append_copy(bytes.view());
  size_ += bytes.size();
  pieces_.push_back({bytes.data(), bytes.size(), bytes.memory()});
}

size_t OutQueue::gather(std::span<iovec> iov) const {
  size_t n = 0;
  for (size_t i = first_; i < pieces_.size() && n < iov.size(); ++i, ++n)
    iov[n] = {const_cast<std::byte*>(pieces_[i].data), pieces_[i].size};
  return n;
}

void OutQueue::consume(size_t n) {
  size_ -= n;
  while (n > 0) {
    Piece& piece = pieces_[first_];
    if (n < piece.size) {
      piece.data += n;
      piece.size -= n;
      return;
    }
    n -= piece.size;
    piece.owner = {};
    ++first_;
  }
  if (size_ == 0) {
    pieces_.clear();
    first_ = 0;
    release_block();
  } else if (first_ > 64 && first_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutQueue::release_block() {
  if (block_ && t_spare.size() < kSpareBlocks) t_spare.push_back(std::move(block_));
  block_ = {};
  block_used_ = 0;
}

}  // namespace modelmill::wire
