#include "wire/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace modelmill::wire {
namespace {

constexpr int kGzipWindow = 15 + 16;
constexpr int kZlibWindow = 15;
constexpr int kLevel = 1;
constexpr int kMemoryLevel = 8;  // zlib's default

/// zlib counts in 32 bits.
uInt piece(size_t left) { return static_cast<uInt>(std::min<size_t>(left, size_t{1} << 30)); }

/// One run of zlib over some input into room that it must fit into.
class Deflation {
 public:
  explicit Deflation(DeflateFormat format) {
    const int window = format == DeflateFormat::kGzip ? kGzipWindow : kZlibWindow;
    ready_ = deflateInit2(&stream_, kLevel, Z_DEFLATED, window, kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Deflation() {
    if (ready_) deflateEnd(&stream_);
  }
  Deflation(const Deflation&) = delete;
  Deflation& operator=(const Deflation&) = delete;

  /// The number of bytes written; 0 when they did not fit.
  size_t run(const Chunks& chunks, std::byte* room, size_t room_size) {
    if (!ready_) return 0;
    out_ = room;
    left_ = room_size;
    for (const Bytes& chunk : chunks) {
      for (size_t fed = 0; fed < chunk.size();) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(chunk.data() + fed));
        stream_.avail_in = piece(chunk.size() - fed);
        fed += stream_.avail_in;
        while (stream_.avail_in > 0)
          if (step(Z_NO_FLUSH) != Z_OK) return 0;
      }
    }
    int state = Z_OK;
    while (state == Z_OK) state = step(Z_FINISH);
    return state == Z_STREAM_END ? room_size - left_ : 0;
  }

 private:
  int step(int flush) {
    const uInt room = piece(left_);
    if (room == 0) return Z_BUF_ERROR;
    stream_.next_out = reinterpret_cast<Bytef*>(out_);
    stream_.avail_out = room;
    const int state = ::deflate(&stream_, flush);
    out_ += room - stream_.avail_out;
    left_ -= room - stream_.avail_out;
    return state;
  }

  z_stream stream_{};
  std::byte* out_ = nullptr;
  size_t left_ = 0;
  bool ready_ = false;
};

}  // namespace

std::optional<Bytes> deflate_chunks(const Chunks& chunks, DeflateFormat format) try {
  size_t size = 0;
  for (const Bytes& chunk : chunks) size += chunk.size();
  if (size == 0) return std::nullopt;
  MemoryRef memory = Memory::allocate(size);
  Deflation deflation(format);
  const size_t n = deflation.run(chunks, memory->data(), size - 1);
  if (n == 0) return std::nullopt;
  if (n < size / 2) {  // what waits to be sent should not keep much more than itself
    MemoryRef fitting = Memory::allocate(n);
    std::memcpy(fitting->data(), memory->data(), n);
    return Bytes(std::move(fitting));
  }
  const std::byte* data = memory->data();
  return Bytes(std::move(memory), data, n);
} catch (const std::bad_alloc&) {
  return std::nullopt;
}

}  // namespace modelmill::wire
