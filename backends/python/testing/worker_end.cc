#include "worker_end.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace modelmill::python::testing {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

WorkerMemory::WorkerMemory(uint64_t size, bool sealed)
    : fd_(::memfd_create("worker", MFD_CLOEXEC | MFD_ALLOW_SEALING)), size_(size) {
  require(fd_ && ::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0);
  if (sealed) require(::fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  require(data != MAP_FAILED);
  data_ = static_cast<char*>(data);
}

WorkerMemory::~WorkerMemory() { ::munmap(data_, size_); }

uint32_t WorkerMemory::word(uint64_t offset) const {
  return reinterpret_cast<const std::atomic<uint32_t>*>(data_ + offset)->load(std::memory_order_acquire);
}

WorkerEnd::WorkerEnd() {
  int fds[2];
  require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  server_ = UniqueFd(fds[0]);
  own_ = UniqueFd(fds[1]);
}

void WorkerEnd::send(std::string_view bytes, std::span<const int> fds) {
  while (!bytes.empty()) {
    iovec io{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &io;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 32)] = {};
    if (!fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
    }
    const ssize_t sent = ::sendmsg(own_.get(), &message, MSG_NOSIGNAL);
    require(sent > 0);
    bytes.remove_prefix(static_cast<size_t>(sent));
    fds = {};
  }
}

void WorkerEnd::send_region(uint32_t id, const WorkerMemory& memory, uint64_t claimed) {
  FrameWriter writer(FrameType::kRegion, 0, true);
  writer.put(id);
  writer.put(claimed);
  const int fd = memory.fd();
  send(writer.take(), std::span(&fd, 1));
}

void WorkerEnd::finish() { ::shutdown(own_.get(), SHUT_WR); }

std::string WorkerEnd::take() {
  std::string bytes;
  char buffer[4096];
  ssize_t got = 0;
  // Descriptors that come along are dropped.
  while ((got = ::recv(own_.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
    bytes.append(buffer, static_cast<size_t>(got));
  return bytes;
}

std::vector<FrameType> WorkerEnd::received() {
  const std::string bytes = take();
  std::vector<FrameType> out;
  for (size_t at = 0; at + sizeof(FrameHeader) <= bytes.size();) {
    FrameHeader header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    out.push_back(static_cast<FrameType>(header.type));
    at += header.size;
  }
  return out;
}

}  // namespace modelmill::python::testing
