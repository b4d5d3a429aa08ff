#include "wire/grpc_deframer.h"

#include <algorithm>
#include <cstring>

namespace modelmill::wire {

std::span<const std::byte> GrpcDeframer::feed(std::span<const std::byte> bytes, Sink& sink) {
  while (!stopped_ && !paused_ && !bytes.empty()) {
    if (prefix_filled_ < prefix_.size()) {
      const size_t n = std::min(bytes.size(), prefix_.size() - prefix_filled_);
      std::memcpy(prefix_.data() + prefix_filled_, bytes.data(), n);
      prefix_filled_ += n;
      bytes = bytes.subspan(n);
      if (prefix_filled_ < prefix_.size()) return {};
      left_ = 0;
      for (size_t i = 1; i < prefix_.size(); ++i) left_ = left_ << 8 | std::to_integer<uint32_t>(prefix_[i]);
      stopped_ = !sink.on_frame_begin(prefix_[0] != std::byte{0}, left_);
    } else {
      const size_t n = std::min<size_t>(bytes.size(), left_);
      left_ -= static_cast<uint32_t>(n);
      stopped_ = !sink.on_frame_bytes(bytes.first(n));
      bytes = bytes.subspan(n);
    }
    if (stopped_) return {};
    if (left_ == 0) {
      prefix_filled_ = 0;
      stopped_ = !sink.on_frame_end();
    }
  }
  return stopped_ ? std::span<const std::byte>() : bytes;
}

}  // namespace modelmill::wire
