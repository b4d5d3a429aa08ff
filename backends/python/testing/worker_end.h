#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "python/frames.h"
#include "python/unique_fd.h"

namespace modelmill::python::testing {

/// A memfd of a worker's, mapped.
class WorkerMemory {
 public:
  explicit WorkerMemory(uint64_t size, bool sealed = true);
  ~WorkerMemory();
  WorkerMemory(const WorkerMemory&) = delete;
  WorkerMemory& operator=(const WorkerMemory&) = delete;

  int fd() const { return fd_.get(); }
  uint64_t size() const { return size_; }
  char* data() const { return data_; }
  void put(uint64_t offset, std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(data_ + offset, bytes.data(), bytes.size());
  }
  uint32_t word(uint64_t offset) const;

 private:
  UniqueFd fd_;
  uint64_t size_;
  char* data_;
};

/// What a worker has of a socket: it says whatever a test wants.
class WorkerEnd {
 public:
  WorkerEnd();

  /// The server's end, once.
  UniqueFd take_server_end() { return std::move(server_); }
  void send(std::string_view bytes, std::span<const int> fds = {});
  /// Sends `memory` as region `id`, of the size that it claims.
  void send_region(uint32_t id, const WorkerMemory& memory, uint64_t claimed);
  void send_region(uint32_t id, const WorkerMemory& memory) { send_region(id, memory, memory.size()); }
  /// Nothing follows; what the server says is still taken.
  void finish();
  /// The types of the frames that the server has sent since it was last asked.
  std::vector<FrameType> received();
  /// The same, as how many bytes they are.
  size_t received_bytes() { return take().size(); }

 private:
  std::string take();

  UniqueFd server_, own_;
};

/// A frame's parts: trivially copyable records and text.
template <typename... Parts>
std::string frame_of(FrameType type, uint64_t id, const Parts&... parts) {
  FrameWriter writer(type, id);
  const auto put = [&](const auto& part) {
    if constexpr (std::is_convertible_v<decltype(part), std::string_view>)
      writer.text(part);
    else
      writer.put(part);
  };
  (put(parts), ...);
  return writer.take();
}

}  // namespace modelmill::python::testing
