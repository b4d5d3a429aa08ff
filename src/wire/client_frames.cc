#include "wire/client_frames.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

namespace modelmill::wire {
namespace {

uint32_t id_at(const uint8_t* bytes) {
  return (uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3]) & 0x7fffffff;
}

}  // namespace

ClientFrames::Verdict ClientFrames::check(std::span<const std::byte> bytes) {
  size_t frame_begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    if (skip_ > 0) {
      const size_t n = std::min(skip_, bytes.size() - at);
      at += n;
      skip_ -= n;
      continue;
    }
    if (head_filled_ == 0) frame_begin = at;
    const bool priority = head_filled_ >= kHead;  // whose head is followed by what it depends on
    const size_t n = std::min((priority ? head_.size() : kHead) - head_filled_, bytes.size() - at);
    std::memcpy(head_.data() + head_filled_, bytes.data() + at, n);
    head_filled_ += n;
    at += n;
    if (head_filled_ < (priority ? head_.size() : kHead)) break;
    const size_t length = size_t{head_[0]} << 16 | size_t{head_[1]} << 8 | head_[2];
    if (!priority && head_[3] == NGHTTP2_PRIORITY && length >= kDependency) continue;
    if (const uint32_t error = check_frame(); error != NGHTTP2_NO_ERROR) return {frame_begin, error};
    skip_ = length - (priority ? kDependency : 0);
    head_filled_ = 0;
  }
  return {bytes.size(), NGHTTP2_NO_ERROR};
}

uint32_t ClientFrames::check_frame() {
  const uint8_t type = head_[3];
  const uint32_t id = id_at(head_.data() + 5);
  switch (type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
      if (const uint32_t error = check_stream(type == NGHTTP2_HEADERS, id); error != NGHTTP2_NO_ERROR) return error;
      if ((head_[4] & NGHTTP2_FLAG_END_STREAM) != 0) ended_[ended_count_++ % ended_.size()] = id;
      return NGHTTP2_NO_ERROR;
    case NGHTTP2_RST_STREAM:
      if (!has_ended(id)) ended_[ended_count_++ % ended_.size()] = id;
      return NGHTTP2_NO_ERROR;
    case NGHTTP2_PRIORITY:
      return id == 0 || (head_filled_ > kHead && id == id_at(head_.data() + kHead)) ? NGHTTP2_PROTOCOL_ERROR
                                                                                    : NGHTTP2_NO_ERROR;
    default: return NGHTTP2_NO_ERROR;
  }
}

uint32_t ClientFrames::check_stream(bool headers, uint32_t id) {
  if (headers && id >= next_id_) {
    if (id > next_id_) passed_over_[passed_over_count_++ % passed_over_.size()] = {next_id_, id - 1};
    next_id_ = id + 2;
    return NGHTTP2_NO_ERROR;
  }
  if (has_ended(id)) return NGHTTP2_STREAM_CLOSED;
  if (!headers || passed_over_count_ == 0) return NGHTTP2_NO_ERROR;
  const auto never_was = [id](const Range& range) { return range.first <= id && id <= range.last; };
  return std::any_of(passed_over_.begin(), passed_over_.end(), never_was) ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_NO_ERROR;
}

bool ClientFrames::has_ended(uint32_t id) const {
  return id != 0 && std::find(ended_.begin(), ended_.end(), id) != ended_.end();
}

}  // namespace modelmill::wire
