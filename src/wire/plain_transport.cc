#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <cerrno>

#include "wire/loop.h"
#include "wire/transport.h"

namespace modelmill::wire {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// A large body's bytes are read by so many at a time where its client is quick: each read costs system calls, and an
/// answer to the client's side. Fewer than kFew are not waited for.
constexpr size_t kGathered = size_t{256} << 10;
constexpr size_t kFew = size_t{64} << 10;

IoResult from_return(ssize_t n) {
  if (n > 0) return {IoResult::kDone, static_cast<size_t>(n)};
  if (n == 0) return {IoResult::kClosed};
  return {errno == EAGAIN || errno == EWOULDBLOCK ? IoResult::kWouldBlock : IoResult::kFailed};
}

class PlainTransport final : public Transport {
 public:
  PlainTransport(Loop& loop, int fd, int family) : socket_(loop.context()), gathers_(family != AF_UNIX) {
    error_code error;
    socket_.assign(asio::generic::stream_protocol(family, 0), fd, error);
    if (!error) socket_.native_non_blocking(true, error);
  }

  void async_read(std::span<std::byte> into, std::shared_ptr<User> user) override {
    socket_.async_read_some(asio::buffer(into.data(), into.size()),
                            [user = std::move(user)](const error_code& error, size_t n) {
                              if (error == asio::error::operation_aborted) return;
                              if (error == asio::error::eof) return user->on_read({IoResult::kClosed});
                              if (error) return user->on_read({IoResult::kFailed});
                              user->on_read({IoResult::kDone, n});
                            });
  }

  void expect(size_t bytes) override {
    const int wanted = bytes < kFew ? 1 : static_cast<int>(std::min(bytes, kGathered));
    if (wanted == low_water_ || !gathers_) return;
    low_water_ = wanted;
    // The kernel tells earlier where its buffer is full, or the client ends; a lower mark counts for what is there too.
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted);
  }

  IoResult read(std::span<std::byte> into) override {
    ssize_t n;
    do {
      n = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
    } while (n < 0 && errno == EINTR);
    return from_return(n);
  }

  IoResult write(std::span<const iovec> pieces) override {
    ssize_t n;
    do {
      if (pieces.size() == 1) {
        n = ::send(socket_.native_handle(), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
      } else {
        msghdr message{};
        message.msg_iov = const_cast<iovec*>(pieces.data());
        message.msg_iovlen = pieces.size();
        n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
      }
    } while (n < 0 && errno == EINTR);
    return from_return(n);
  }

  void async_writable(std::shared_ptr<User> user) override {
    socket_.async_wait(asio::socket_base::wait_write, [user = std::move(user)](const error_code& error) {
      if (error != asio::error::operation_aborted) user->on_writable();
    });
  }

  size_t unconfirmed() const override {
    int bytes = 0;
    return ::ioctl(const_cast<asio::generic::stream_protocol::socket&>(socket_).native_handle(), SIOCOUTQ, &bytes) == 0
               ? static_cast<size_t>(bytes)
               : 0;
  }

  void shutdown_write() override {
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  asio::generic::stream_protocol::socket socket_;
  const bool gathers_;
  int low_water_ = 1;
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(Loop& loop, int fd, int family) {
  return std::make_unique<PlainTransport>(loop, fd, family);
}

}  // namespace modelmill::wire
