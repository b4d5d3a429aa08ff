#include "wire/listening_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace modelmill::wire {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAttempts = 8;
constexpr mode_t kSocketMode = 0660;

Status bind_error(int error, const Endpoint& endpoint) {
  const std::string where = address_text(endpoint);
  switch (error) {
    case EADDRINUSE:
      return already_exists("port " + std::to_string(endpoint.port) + " is taken: another program listens on " + where +
                            "; stop it, or choose another port with --port or --listen");
    case EACCES:
      return {Code::kPermissionDenied,
              "not allowed to listen on " + where +
                  ": ports below 1024 are the administrator's; choose another with --port or --listen"};
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return invalid_argument("can't listen on " + where + ": no network interface of this machine has that address");
    default: return unavailable("can't listen on " + where + ": " + std::strerror(error));
  }
}

Status unix_error(int error, const Endpoint& endpoint) {
  const std::string where = address_text(endpoint);
  switch (error) {
    case ENOENT:
    case ENOTDIR: return not_found("can't listen on " + where + ": its folder does not exist; make it first");
    case EACCES:
    case EPERM:
    case EROFS:
      return {Code::kPermissionDenied,
              "can't listen on " + where + ": not allowed to make a file there; choose another folder"};
    case EADDRINUSE:
      return already_exists("can't listen on " + where + ": another program has just begun to listen there");
    default: return unavailable("can't listen on " + where + ": " + std::strerror(error));
  }
}

in_port_t& port_of(sockaddr_storage& address) {
  return address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                       : reinterpret_cast<sockaddr_in&>(address).sin_port;
}

bool same(const addrinfo& one, const addrinfo& other) {
  return one.ai_family == other.ai_family && one.ai_addrlen == other.ai_addrlen &&
         std::memcmp(one.ai_addr, other.ai_addr, one.ai_addrlen) == 0;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

/// Makes way for a new socket file: removes one that nobody listens on any more.
Status clear_path(const Endpoint& endpoint) {
  const std::string where = address_text(endpoint);
  struct stat found {};
  if (::lstat(endpoint.path.c_str(), &found) != 0) return ok_status();  // bind() tells what is wrong, if anything
  if (!S_ISSOCK(found.st_mode))
    return already_exists("can't listen on " + where + ": a file that is no socket has that name; choose another path");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return unix_error(errno, endpoint);
  const sockaddr_un address = unix_address(endpoint.path);
  const bool refused =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  if (!refused)
    return already_exists("another program listens on " + where + "; stop it, or choose another path with --listen");
  return ::unlink(endpoint.path.c_str()) == 0 || errno == ENOENT ? ok_status() : unix_error(errno, endpoint);
}

}  // namespace

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      endpoint_(std::move(other.endpoint_)),
      file_device_(other.file_device_),
      file_inode_(other.file_inode_) {}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
  close();
  fd_ = std::exchange(other.fd_, -1);
  endpoint_ = std::move(other.endpoint_);
  file_device_ = other.file_device_;
  file_inode_ = other.file_inode_;
  return *this;
}

void ListeningSocket::close() {
  if (fd_ < 0) return;
  struct stat found {};
  if (file_inode_ != 0 && ::lstat(endpoint_.path.c_str(), &found) == 0 && found.st_dev == file_device_ &&
      found.st_ino == file_inode_)
    ::unlink(endpoint_.path.c_str());
  ::close(std::exchange(fd_, -1));
}

Result<std::vector<ListeningSocket>> ListeningSocket::open(const Endpoint& endpoint, bool ipv6_only) {
  if (endpoint.is_unix()) {
    MM_ASSIGN_OR_RETURN(ListeningSocket socket, open_unix(endpoint));
    std::vector<ListeningSocket> sockets;
    sockets.push_back(std::move(socket));
    return sockets;
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
  if (error != 0)
    return invalid_argument("can't listen on host '" + endpoint.host + "': " + ::gai_strerror(error) +
                            "; give an address or a name of this machine with --host or --listen");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  for (int attempt = 1;; ++attempt) {
    auto sockets = open_all(endpoint, addresses.get(), ipv6_only);
    // Any port is asked for, and the one that the first address got is taken on another: that can be better next time.
    const bool again = endpoint.port == 0 && !sockets.ok() && sockets.status().code() == Code::kAlreadyExists;
    if (!again || attempt == kAttempts) return sockets;
  }
}

/// An address that this machine does not have (that of IPv6, mostly) is passed over if it has another.
Result<std::vector<ListeningSocket>> ListeningSocket::open_all(const Endpoint& endpoint, const addrinfo* addresses,
                                                               bool ipv6_only) {
  std::vector<ListeningSocket> sockets;
  std::vector<const addrinfo*> bound;
  Endpoint wanted = endpoint;
  Status missing = unavailable("host '" + endpoint.host + "' has no address to listen on");
  for (const addrinfo* address = addresses; address != nullptr; address = address->ai_next) {
    if (std::any_of(bound.begin(), bound.end(), [&](const addrinfo* other) { return same(*address, *other); }))
      continue;
    Result<ListeningSocket> socket = open_tcp(wanted, *address, ipv6_only);
    if (!socket.ok()) {
      missing = socket.status();
      if (missing.code() != Code::kInvalidArgument) return missing;
      continue;
    }
    wanted.port = socket->endpoint().port;
    bound.push_back(address);
    sockets.push_back(std::move(*socket));
  }
  if (sockets.empty()) return missing;
  return sockets;
}

Result<ListeningSocket> ListeningSocket::open_tcp(const Endpoint& endpoint, const addrinfo& address, bool ipv6_only) {
  ListeningSocket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), endpoint);
  if (socket.fd_ < 0) return bind_error(errno, endpoint);
  const int on = 1;
  const int v6_only = ipv6_only ? 1 : 0;
  ::setsockopt(socket.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (endpoint.shared) ::setsockopt(socket.fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_storage wanted{};
  std::memcpy(&wanted, address.ai_addr, address.ai_addrlen);
  port_of(wanted) = htons(endpoint.port);
  if (address.ai_family == AF_INET6) ::setsockopt(socket.fd_, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::bind(socket.fd_, reinterpret_cast<const sockaddr*>(&wanted), address.ai_addrlen) != 0 ||
      ::listen(socket.fd_, kBacklog) != 0 || ::getsockname(socket.fd_, reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return bind_error(errno, endpoint);
  socket.endpoint_.port = ntohs(port_of(bound));
  return socket;
}

Result<ListeningSocket> ListeningSocket::open_unix(const Endpoint& endpoint) {
  MM_RETURN_IF_ERROR(clear_path(endpoint));
  ListeningSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), endpoint);
  const sockaddr_un address = unix_address(endpoint.path);
  // The file is made with the socket's mode less the umask, and then given exactly its mode: at no moment is it open to
  // more than it should be.
  if (socket.fd_ < 0 || ::fchmod(socket.fd_, kSocketMode) != 0 ||
      ::bind(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return unix_error(errno, endpoint);
  struct stat made {};
  if (::lstat(endpoint.path.c_str(), &made) == 0) {
    socket.file_device_ = made.st_dev;
    socket.file_inode_ = made.st_ino;
  }
  if (::chmod(endpoint.path.c_str(), kSocketMode) != 0 || ::listen(socket.fd_, kBacklog) != 0)
    return unix_error(errno, endpoint);
  return socket;
}

}  // namespace modelmill::wire
