#include "link.h"

#include <cerrno>

namespace modelmill::python {
namespace {

constexpr size_t kBuffer = size_t{64} << 10;
constexpr uint32_t kLargestFrame = uint32_t{16} << 20;
constexpr size_t kMostFds = 16;
constexpr size_t kMostRegions = 4096;

}  // namespace

Link::Link(UniqueFd socket, uint64_t memory_limit, std::function<void()> on_unsent)
    : socket_(std::move(socket)),
      memory_limit_(memory_limit),
      on_unsent_(std::move(on_unsent)),
      arena_(std::make_shared<Arena>(memory_limit)),
      buffer_(kBuffer) {}

Link::~Link() = default;

bool Link::try_send(Unsent& piece) {
  while (piece.sent < piece.bytes.size()) {
    iovec io{piece.bytes.data() + piece.sent, piece.bytes.size() - piece.sent};
    msghdr message{};
    message.msg_iov = &io;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (piece.with && piece.sent == 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      const int fd = piece.with->fd();
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      piece.sent += static_cast<size_t>(sent);
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      return true;  // the worker is gone, which whoever receives notices
    }
  }
  return true;
}

void Link::push(Unsent piece) {
  if (unsent_.empty() && try_send(piece)) return;
  unsent_.push_back(std::move(piece));
}

void Link::send(std::string frame) {
  bool unsent = false;
  {
    const std::lock_guard lock(send_mutex_);
    for (auto& [id, region] : arena_->take_new()) {
      FrameWriter writer(FrameType::kRegion, 0, true);
      writer.put(id);
      writer.put(region->size());
      push({writer.take(), 0, std::move(region)});
    }
    push({std::move(frame), 0, nullptr});
    unsent = !unsent_.empty();
  }
  if (unsent) on_unsent_();
}

bool Link::flush() {
  const std::lock_guard lock(send_mutex_);
  while (!unsent_.empty()) {
    if (!try_send(unsent_.front())) return false;
    unsent_.pop_front();
  }
  return true;
}

void Link::take_fds(const msghdr& message) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(const_cast<msghdr*>(&message), c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      fds_.emplace_back(fd);
    }
  }
  if (fds_.size() > kMostFds || (message.msg_flags & MSG_CTRUNC) != 0)
    throw ProtocolError("it sends too many file descriptors");
}

bool Link::read_more(bool wait) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == buffer_.size()) {
    if (begin_ == 0) {
      buffer_.resize(buffer_.size() * 2);
    } else {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
  }
  iovec io{buffer_.data() + end_, buffer_.size() - end_};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostFds)];
  msghdr message{};
  message.msg_iov = &io;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  do got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) {
    ended_ = true;
    return false;
  }
  take_fds(message);
  end_ += static_cast<size_t>(got);
  return true;
}

bool Link::receive(Frame& frame, bool wait) {
  while (true) {
    if (end_ - begin_ >= sizeof(FrameHeader)) {
      FrameHeader header{};
      std::memcpy(&header, buffer_.data() + begin_, sizeof header);
      if (header.size < sizeof header || header.size > kLargestFrame)
        throw ProtocolError("a frame of " + std::to_string(header.size) + " bytes");
      if (end_ - begin_ >= header.size) {
        const std::span<const std::byte> whole(buffer_.data() + begin_, header.size);
        begin_ += header.size;
        frame = {static_cast<FrameType>(header.type), header.id, whole.subspan(sizeof header)};
        if (frame.type != FrameType::kRegion) return true;
        take_region(FrameReader(frame.body));
        continue;
      }
    }
    if (ended() || !read_more(wait)) return false;
  }
}

void Link::take_region(FrameReader body) {
  const auto id = body.get<uint32_t>();
  const auto size = body.get<uint64_t>();
  if (fds_.empty()) throw ProtocolError("memory without a file descriptor");
  UniqueFd fd = std::move(fds_.front());
  fds_.pop_front();
  const std::lock_guard lock(regions_mutex_);
  if (id >= kServerMemory || regions_.contains(id) || regions_.size() >= kMostRegions)
    throw ProtocolError("memory number " + std::to_string(id));
  if (size > memory_limit_ - region_bytes_) throw ProtocolError("it uses more shared memory than it may");
  regions_.emplace(id, Region::adopt(std::move(fd), size));
  region_bytes_ += size;
}

void Link::shut() { ::shutdown(socket_.get(), SHUT_RDWR); }

std::shared_ptr<Region> Link::region(uint32_t id) const {
  const std::lock_guard lock(regions_mutex_);
  const auto it = regions_.find(id);
  return it == regions_.end() ? nullptr : it->second;
}

}  // namespace modelmill::python
