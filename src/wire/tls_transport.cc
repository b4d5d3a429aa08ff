#include "wire/tls_transport.h"

#include <linux/sockios.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "wire/deadline_list.h"
#include "wire/loop.h"

namespace modelmill::wire {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// What a record holds at most: smaller pieces are put together up to it, because each record costs a system call and
/// some bytes of its own.
constexpr size_t kRecord = 16 * 1024;
/// What one write() may encrypt before it returns to its caller, who knows when others get their turn.
constexpr size_t kWriteAtOnce = size_t{1} << 20;
/// How long, and for how many bytes, a client whose handshake has failed is listened to: closing on bytes that it goes
/// on sending would reset the connection, and it would not see the alert.
constexpr Duration kTlsLinger = std::chrono::seconds(1);
constexpr size_t kTlsLingerBytes = 64 * 1024;

std::span<std::byte> record_scratch() {
  thread_local std::array<std::byte, kRecord> t_record;
  return t_record;
}

class TlsTransport final : public Transport, private DeadlineEntry {
 public:
  TlsTransport(Loop& loop, int fd, int family, const TlsTerms& terms, std::string peer)
      : loop_(loop),
        socket_(loop.context()),
        context_(terms.credentials->current()),
        ssl_(SSL_new(context_->native())),
        handshakes_(terms.handshakes),
        peer_(std::move(peer)) {
    error_code error;
    socket_.assign(asio::generic::stream_protocol(family, 0), fd, error);
    if (!error) socket_.native_non_blocking(true, error);
    if (ssl_ != nullptr && SSL_set_fd(ssl_, fd) == 1) SSL_set_accept_state(ssl_);
    if (terms.handshake_timeout > Duration::zero())
      loop_.deadlines().add(*this, Clock::now() + terms.handshake_timeout);
  }
  ~TlsTransport() override {
    if (in_list()) loop_.deadlines().remove(*this);
    SSL_free(ssl_);
  }

  void async_read(std::span<std::byte> into, std::shared_ptr<User> user) override {
    into_ = into;
    user_ = std::move(user);
    // What OpenSSL has read already makes no socket readable.
    if (ssl_ == nullptr || ended_ || SSL_has_pending(ssl_) == 1)
      asio::post(socket_.get_executor(), [this, user = user_] { continue_read(); });
    else
      wait(asio::socket_base::wait_read);
  }

  IoResult read(std::span<std::byte> into) override {
    size_t filled = 0;
    while (filled < into.size()) {
      size_t n = 0;
      ERR_clear_error();
      if (SSL_read_ex(ssl_, into.data() + filled, into.size() - filled, &n) != 1) {
        const IoResult none = from_error(SSL_get_error(ssl_, 0));
        ended_ = none.state != IoResult::kWouldBlock;  // is told by the next read, if this one has something to give
        if (filled > 0) break;
        return none;
      }
      filled += n;
      // A record that is not full is mostly the last of what was sent together.
      if (n < kRecord && SSL_has_pending(ssl_) == 0) break;
    }
    return {IoResult::kDone, filled};
  }

  IoResult write(std::span<const iovec> pieces) override {
    size_t written = 0;
    size_t piece = 0;
    size_t offset = 0;
    while (piece < pieces.size() && written < kWriteAtOnce) {
      const std::span<const std::byte> next = next_record(pieces.subspan(piece), offset);
      size_t n = 0;
      ERR_clear_error();
      if (!next.empty() && SSL_write_ex(ssl_, next.data(), next.size(), &n) != 1) {
        const int error = SSL_get_error(ssl_, 0);
        write_wants_read_ = error == SSL_ERROR_WANT_READ;
        if (written > 0) break;
        return from_error(error);
      }
      write_wants_read_ = false;
      written += n;
      for (offset += n; piece < pieces.size() && offset >= pieces[piece].iov_len; ++piece)
        offset -= pieces[piece].iov_len;
    }
    return {IoResult::kDone, written};
  }

  void async_writable(std::shared_ptr<User> user) override {
    const auto what = write_wants_read_ ? asio::socket_base::wait_read : asio::socket_base::wait_write;
    socket_.async_wait(what, [user = std::move(user)](const error_code& error) {
      if (error != asio::error::operation_aborted) user->on_writable();
    });
  }

  size_t unconfirmed() const override {
    int bytes = 0;
    const int fd = SSL_get_fd(ssl_);
    return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 ? static_cast<size_t>(bytes) : 0;
  }

  bool is_tls() const override { return true; }

  std::string_view protocol() const override {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }

  void shutdown_write() override {
    if (established_ && !broken_) {
      ERR_clear_error();
      SSL_shutdown(ssl_);
    }
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }

  void close() override {
    loop_.deadlines().remove(*this);
    user_ = nullptr;
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void wait(asio::socket_base::wait_type what) {
    socket_.async_wait(what, [this, user = user_](const error_code& error) {
      if (error != asio::error::operation_aborted) continue_read();
    });
  }

  /// The read that is pending may get further: through the handshake, and then through its bytes.
  void continue_read() {
    if (!socket_.is_open() || user_ == nullptr) return;
    if (failed_) return throw_away();
    if (!established_ && !shake_hands()) return;
    const IoResult result = read(into_);
    if (result.state == IoResult::kWouldBlock) return wait_for_want();
    std::exchange(user_, nullptr)->on_read(result);
  }

  void wait_for_want() {
    wait(wants_ == SSL_ERROR_WANT_WRITE ? asio::socket_base::wait_write : asio::socket_base::wait_read);
  }

  /// True when hands have been shaken.
  bool shake_hands() {
    ERR_clear_error();
    const int outcome = ssl_ == nullptr ? -1 : SSL_do_handshake(ssl_);
    if (outcome == 1) {
      established_ = true;
      loop_.deadlines().remove(*this);
      handshakes_->succeeded(SSL_get_version(ssl_));
      return true;
    }
    wants_ = ssl_ == nullptr ? SSL_ERROR_SSL : SSL_get_error(ssl_, outcome);
    if (wants_ == SSL_ERROR_WANT_READ || wants_ == SSL_ERROR_WANT_WRITE) {
      wait_for_want();
      return false;
    }
    // Who leaves without a word, as health checks of load balancers do, has not failed at anything.
    if (ssl_ == nullptr || BIO_number_read(SSL_get_rbio(ssl_)) > 0) handshakes_->failed();
    if (Log::enabled(LogLevel::kDebug)) {
      const char* reason = ERR_reason_error_string(ERR_peek_error());
      Log::debug("TLS handshake failed", {{"peer", peer_}, {"reason", reason == nullptr ? "closed" : reason}});
    }
    failed_ = true;
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
    loop_.deadlines().remove(*this);
    loop_.deadlines().add(*this, Clock::now() + kTlsLinger);
    throw_away();
    return false;
  }

  /// After a failed handshake: until the client has seen the alert and gone, or for a moment.
  void throw_away() {
    const std::span<std::byte> scratch = record_scratch();
    while (thrown_away_ < kTlsLingerBytes) {
      const ssize_t n = ::recv(socket_.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait(asio::socket_base::wait_read);
      if (n <= 0) break;
      thrown_away_ += static_cast<size_t>(n);
    }
    end_read_as_failed();
  }

  void on_deadline() override {
    if (established_ || !socket_.is_open()) return;
    if (!failed_) handshakes_->timed_out();
    end_read_as_failed();
  }

  void end_read_as_failed() {
    broken_ = true;
    if (auto user = std::exchange(user_, nullptr)) user->on_read({IoResult::kFailed});
  }

  IoResult from_error(int error) {
    switch (error) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: wants_ = error; return {IoResult::kWouldBlock};
      case SSL_ERROR_ZERO_RETURN: return {IoResult::kClosed};
      default: broken_ = true; return {IoResult::kFailed};
    }
  }

  /// What goes into the next record, from `offset` in the first piece on: a large piece as it lies, small ones copied
  /// together. A write that has to be repeated gets the same bytes again, and perhaps more, as OpenSSL asks for.
  static std::span<const std::byte> next_record(std::span<const iovec> pieces, size_t offset) {
    const auto* first = static_cast<const std::byte*>(pieces[0].iov_base) + offset;
    const size_t first_size = pieces[0].iov_len - offset;
    if (first_size >= kRecord || pieces.size() == 1) return {first, std::min(first_size, kRecord)};
    const std::span<std::byte> record = record_scratch();
    size_t filled = 0;
    for (const iovec& piece : pieces) {
      const size_t n = std::min(piece.iov_len - offset, kRecord - filled);
      std::memcpy(record.data() + filled, static_cast<const std::byte*>(piece.iov_base) + offset, n);
      filled += n;
      offset = 0;
      if (filled == kRecord) break;
    }
    return record.first(filled);
  }

  Loop& loop_;
  asio::generic::stream_protocol::socket socket_;
  const std::shared_ptr<const TlsContext> context_;
  SSL* const ssl_;  // null: there was no memory, and the first read fails
  const std::shared_ptr<TlsHandshakes> handshakes_;
  const std::string peer_;
  std::span<std::byte> into_;
  std::shared_ptr<User> user_;  // while a read is pending
  int wants_ = SSL_ERROR_NONE;  // what the handshake or the last read waits for
  bool write_wants_read_ = false;
  size_t thrown_away_ = 0;
  bool established_ = false;
  bool failed_ = false;  // the handshake
  bool ended_ = false;   // nothing more can be read
  bool broken_ = false;  // TLS has nothing more to say
};

}  // namespace

std::unique_ptr<Transport> make_tls_transport(Loop& loop, int fd, int family, const TlsTerms& terms, std::string peer) {
  return std::make_unique<TlsTransport>(loop, fd, family, terms, std::move(peer));
}

}  // namespace modelmill::wire
