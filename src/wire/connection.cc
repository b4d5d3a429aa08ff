#include "wire/connection.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/log.h"
#include "wire/http1_session.h"
#include "wire/http2_session.h"

namespace modelmill::wire {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection begins with a small buffer, for most rest most of the time, and gets a larger one when it has filled
/// it.
constexpr size_t kSmallBuffer = 1024;
constexpr size_t kLargeBuffer = 16 * 1024;
constexpr size_t kBufferGrowth = 4;
/// One for each loop, for what comes in larger amounts: fits the second-level cache.
constexpr size_t kScratch = 256 * 1024;
/// What one connection may bring in before others get their turn.
constexpr size_t kReadPerTurn = size_t{2} << 20;
constexpr Duration kReadTimePerTurn = std::chrono::milliseconds(1);
constexpr size_t kWritePerTurn = size_t{8} << 20;
/// How long, and for how many bytes, a peer that goes on sending after our end is listened to.
constexpr Duration kLinger = std::chrono::seconds(1);
constexpr size_t kLingerBytes = size_t{64} << 20;

std::span<std::byte> scratch() {
  thread_local MemoryRef t_scratch = Memory::allocate(kScratch);
  return {t_scratch->data(), t_scratch->size()};
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, Loop& loop, std::unique_ptr<Transport> transport,
                       std::string peer, Services serves)
    : core_(std::move(core)),
      loop_(loop),
      counters_(core_->counters_of(loop)),
      transport_(std::move(transport)),
      peer_(std::make_shared<const std::string>(std::move(peer))),
      serves_(serves),
      buffer_(Memory::allocate(kSmallBuffer)) {}

Connection::~Connection() = default;

void Connection::start() { arm_read(); }

void Connection::arm_read() {
  if (reading_ || closed_ || peer_closed_) return;
  if (session_ && !lingering_ && !session_->wants_to_read()) return;
  std::span<std::byte> into(buffer_->data(), buffer_->size());
  target_size_ = 0;
  if (session_ && !lingering_) {
    const std::span<std::byte> target = session_->read_target();
    target_size_ = target.size();
    if (!target.empty()) into = target;
  }
  reading_ = true;
  transport_->expect(target_size_);
  transport_->async_read(into, shared_from_this());
}

void Connection::on_read(IoResult result) {
  reading_ = false;
  if (closed_) return;
  if (result.state == IoResult::kDone) {
    counters_.received_bytes.add(result.bytes);
    if (target_size_ > 0) {
      session_->received_into_target(result.bytes);
      if (result.bytes < target_size_ || read_more()) arm_read();
      return;
    }
    const bool full = result.bytes == buffer_->size();
    take({buffer_->data(), result.bytes});
    if (full && buffer_->size() < kLargeBuffer) buffer_ = Memory::allocate(kBufferGrowth * buffer_->size());
    if (!full || read_more()) arm_read();
    return;
  }
  peer_closed_ = true;
  if (!lingering_) close_reason_ = result.state == IoResult::kFailed ? CloseReason::kBroken : CloseReason::kClient;
  if (result.state == IoResult::kFailed || lingering_ || !session_) return close();
  session_->peer_gone();
  want_flush();  // sends what has been answered, then closes
}

/// More has probably come than the first read took: reads on without waiting. True if the next read should be awaited.
bool Connection::read_more() {
  const TimePoint until = Clock::now() + kReadTimePerTurn;
  for (size_t total = 0; total < kReadPerTurn && !closed_;) {
    if (session_ && !lingering_ && !session_->wants_to_read()) return false;
    std::span<std::byte> target;
    if (session_ && !lingering_) target = session_->read_target();
    const std::span<std::byte> into = target.empty() ? scratch() : target;
    const IoResult result = transport_->read(into);
    if (result.state == IoResult::kWouldBlock) return true;
    if (result.state != IoResult::kDone) {
      on_read(result);
      return false;
    }
    counters_.received_bytes.add(result.bytes);
    if (target.empty())
      take(into.first(result.bytes));
    else
      session_->received_into_target(result.bytes);
    if (result.bytes < into.size()) return true;
    total += result.bytes;
    if (Clock::now() >= until) return true;
  }
  return true;
}

void Connection::take(std::span<const std::byte> bytes) {
  if (lingering_) {
    thrown_away_ += bytes.size();
    if (thrown_away_ > kLingerBytes) close();
    return;
  }
  if (session_) return session_->receive(bytes);
  choose_session(bytes);
}

/// HTTP/2 with prior knowledge begins with a preface that no HTTP/1 request begins with.
void Connection::choose_session(std::span<const std::byte> bytes) {
  first_bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t compared = std::min(first_bytes_.size(), kHttp2Preface.size());
  const bool agreed = transport_->protocol() == "h2";  // then anything but the preface is the session's error to tell
  const bool may_be_http2 = agreed || std::memcmp(first_bytes_.data(), kHttp2Preface.data(), compared) == 0;
  if (may_be_http2 && !agreed && compared < kHttp2Preface.size()) return;
  if (may_be_http2)
    session_ = make_http2_session(*this);
  else
    session_ = make_http1_session(*this);
  if (draining_) session_->drain();
  const std::string first = std::move(first_bytes_);
  first_bytes_ = {};
  session_->receive(std::as_bytes(std::span(first)));
}

void Connection::want_flush() {
  if (flush_asked_ || closed_) return;
  flush_asked_ = true;
  loop_.flush_at_turn_end(shared_from_this());
}

void Connection::resume_reading() { arm_read(); }

void Connection::flush() {
  flush_asked_ = false;
  if (closed_ || write_blocked_ || lingering_ || !session_) return;
  if (!write_out()) return;
  if (session_->finished()) end_gracefully();
}

/// Writes all there is. False when it could not: the connection waits, or has been closed.
bool Connection::write_out() {
  std::array<iovec, 128> iov;
  size_t written = 0;
  while (true) {
    if (out_.size() < kOutHighWater) session_->produce(out_);
    if (out_.empty()) return true;
    IoResult result{IoResult::kWouldBlock};
    if (written < kWritePerTurn) result = transport_->write({iov.data(), out_.gather(iov)});
    if (result.state == IoResult::kFailed || result.state == IoResult::kClosed) {
      close_reason_ = CloseReason::kBroken;
      close();
      return false;
    }
    if (result.state == IoResult::kWouldBlock) {
      write_blocked_ = true;
      transport_->async_writable(shared_from_this());
      return false;
    }
    out_.consume(result.bytes);
    written_ += result.bytes;
    counters_.sent_bytes.add(result.bytes);
    written += result.bytes;
  }
}

void Connection::on_writable() {
  write_blocked_ = false;
  want_flush();
}

/// All has been said. The peer gets an end-of-stream, and a moment to read what came before it.
void Connection::end_gracefully() {
  transport_->shutdown_write();
  if (peer_closed_ || !session_->lingers()) return close();
  lingering_ = true;
  transport_->expect(0);
  linger_timer_ = loop_.run_at(Clock::now() + kLinger, [self = weak_from_this()] {
    if (auto connection = self.lock()) connection->close();
  });
  arm_read();
}

void Connection::drain() {
  if (closed_ || draining_) return;
  draining_ = true;
  if (!session_) {
    if (first_bytes_.empty()) close();
    return;
  }
  session_->drain();
  want_flush();
}

void Connection::cut() {
  close_reason_ = CloseReason::kCut;
  close();
}

void Connection::look(TimePoint now) {
  if (closed_ || lingering_) return;
  const Limits& limits = core_->limits;
  // What the peer's system has confirmed tells more than what ours has room for, which comes in large steps.
  const uint64_t read = write_blocked_ ? written_ - std::min<uint64_t>(written_, transport_->unconfirmed()) : written_;
  if (writing_.stalled(now, write_blocked_, read, limits.stall_timeout, least_bytes(limits))) {
    core_->count_refused("stall");
    Log::debug("connection cut: its client does not read", {{"peer", *peer_}});
    return close();
  }
  // What has gathered so far is progress, however little; the next read asks for more again.
  if (target_size_ > 0) transport_->expect(0);
  if (session_) return session_->look(now);
  if (!beginning_.lasts(now, 0, limits.header_timeout)) return;
  core_->count_refused("header timeout");
  close();
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  const auto self = shared_from_this();
  counters_.closed[static_cast<size_t>(close_reason_)].add();
  linger_timer_.reset();
  if (session_) session_->peer_gone();
  transport_->close();
  core_->connections_of(loop_).erase(self);
  loop_.count_connection(-1);
  core_->count_out();
}

}  // namespace modelmill::wire
