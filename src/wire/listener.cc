#include "wire/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "wire/connection.h"

namespace modelmill::wire {
namespace {

namespace asio = boost::asio;

constexpr int kAcceptsPerTurn = 64;
/// When the process has no descriptors left, accepting waits this long.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

/// What a client is told for whom there is no room. It is for HTTP/1.1; others see a connection that ends.
constexpr std::string_view kNoRoom =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n"
    "content-length: 63\r\n\r\n{\"error\": \"too many connections are open (--max-connections)\"}\n";

/// Says so and closes. A request that has come already is read first, else closing would take the answer back.
void turn_away(int fd) {
  std::array<char, 16 * 1024> request;
  (void)::send(fd, kNoRoom.data(), kNoRoom.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(fd, SHUT_WR);
  (void)::recv(fd, request.data(), request.size(), MSG_DONTWAIT);
  ::close(fd);
}

std::string peer_text(const sockaddr_storage& address) {
  if (address.ss_family == AF_UNIX) return "unix";
  std::array<char, INET6_ADDRSTRLEN + 1> text{};
  std::array<char, 8> port{};
  const socklen_t size = address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, text.data(), text.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "unknown";
  std::string peer;
  const bool ipv6 = address.ss_family == AF_INET6;
  if (ipv6) peer += '[';
  peer += text.data();
  if (ipv6) peer += ']';
  peer += ':';
  peer += port.data();
  return peer;
}

/// A connection between being accepted and being taken by its loop: ends properly even if that loop has stopped.
class Accepted {
 public:
  Accepted(std::shared_ptr<ServerCore> core, Loop& loop, std::shared_ptr<const TlsTerms> tls, int fd,
           const sockaddr_storage& peer, Services serves)
      : core_(std::move(core)), loop_(loop), tls_(std::move(tls)), fd_(fd), peer_(peer), serves_(serves) {
    loop_.count_connection(1);
  }
  ~Accepted() {
    if (fd_ < 0) return;
    ::close(fd_);
    loop_.count_connection(-1);
    core_->count_out();
  }
  Accepted(const Accepted&) = delete;
  Accepted& operator=(const Accepted&) = delete;

  void begin() {
    if (core_->draining()) return;
    if (peer_.ss_family != AF_UNIX) {
      const int on = 1;
      ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      ::setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    std::string peer = peer_text(peer_);
    auto transport = tls_ ? make_tls_transport(loop_, fd_, peer_.ss_family, *tls_, peer)
                          : make_plain_transport(loop_, fd_, peer_.ss_family);
    auto connection = std::make_shared<Connection>(core_, loop_, std::move(transport), std::move(peer), serves_);
    fd_ = -1;
    core_->connections_of(loop_).insert(connection);
    connection->start();
  }

 private:
  std::shared_ptr<ServerCore> core_;
  Loop& loop_;
  const std::shared_ptr<const TlsTerms> tls_;
  int fd_;
  sockaddr_storage peer_;
  const Services serves_;
};

class SocketListener final : public Listener, public std::enable_shared_from_this<SocketListener> {
 public:
  SocketListener(std::shared_ptr<ServerCore> core, LoopPool& loops, ListeningSocket socket,
                 std::shared_ptr<const TlsTerms> tls)
      : core_(std::move(core)),
        loops_(loops),
        loop_(*loops.loops().front()),
        socket_(std::move(socket)),
        tls_(std::move(tls)),
        readiness_(loop_.context(), socket_.fd()) {}
  ~SocketListener() override { stop(); }

  void start() override {
    loop_.post([self = shared_from_this()] { self->wait(); });
  }

  void stop() override {
    pause_.reset();
    if (readiness_.is_open()) readiness_.release();
    socket_.close();
  }

  Loop& loop() override { return loop_; }

 private:
  void wait() {
    if (!readiness_.is_open()) return;
    readiness_.async_wait(asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (!error && self->readiness_.is_open()) self->accept_ready();
                          });
  }

  void accept_ready() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      sockaddr_storage peer{};
      socklen_t size = sizeof peer;
      const int fd = ::accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        hand_over(fd, peer);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        break;
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return pause();
      }  // else: that client has gone again; the next one
    }
    wait();
  }

  void hand_over(int fd, const sockaddr_storage& peer) {
    if (!core_->count_in()) {
      if (tls_)
        ::close(fd);
      else
        turn_away(fd);
      if (!limit_logged_) {
        limit_logged_ = true;
        Log::warning("connection refused: the limit of open connections is reached",
                     {{"limit", core_->limits.connections}});
      }
      return;
    }
    limit_logged_ = files_logged_ = false;
    Loop& loop = loops_.least_busy();
    auto accepted = std::make_shared<Accepted>(core_, loop, tls_, fd, peer, socket_.endpoint().serves);
    loop.post([accepted] { accepted->begin(); });
  }

  void pause() {
    core_->count_refused("files");
    if (!std::exchange(files_logged_, true))
      Log::warning("accepting connections pauses", {{"reason", std::strerror(errno)}});
    pause_ = loop_.run_at(Clock::now() + kAcceptPause, [self = weak_from_this()] {
      if (auto listener = self.lock()) listener->wait();
    });
  }

  std::shared_ptr<ServerCore> core_;
  LoopPool& loops_;
  Loop& loop_;
  ListeningSocket socket_;
  const std::shared_ptr<const TlsTerms> tls_;
  asio::posix::stream_descriptor readiness_;  // of the socket, which it does not own
  std::unique_ptr<Loop::Timer> pause_;
  bool limit_logged_ = false;  // once for each time that the limit is met
  bool files_logged_ = false;  // the same of the process's limit of open files
};

}  // namespace

std::shared_ptr<Listener> make_listener(std::shared_ptr<ServerCore> core, LoopPool& loops, ListeningSocket socket,
                                        std::shared_ptr<const TlsTerms> tls) {
  return std::make_shared<SocketListener>(std::move(core), loops, std::move(socket), std::move(tls));
}

}  // namespace modelmill::wire
