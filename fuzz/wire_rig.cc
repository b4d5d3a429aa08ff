#include "wire_rig.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "wire/connection.h"

namespace modelmill::fuzz {
namespace {

/// More than a session adds to what waits: what it stops at, one frame or one reply, and what was put on top unasked.
constexpr size_t kMostWaiting = 2 * wire::kOutHighWater;

class PipeTransport final : public wire::Transport {
 public:
  explicit PipeTransport(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}

  void async_read(std::span<std::byte> into, std::shared_ptr<User> user) override {
    MM_CHECK(!pipe_->reader && !pipe_->closed && !into.empty(), "one read at a time, into somewhere");
    pipe_->read_into = into;
    pipe_->reader = std::move(user);
  }
  wire::IoResult read(std::span<std::byte> into) override {
    MM_CHECK(!pipe_->closed && !into.empty(), "a read into somewhere");
    if (pipe_->broken) return {wire::IoResult::kFailed};
    if (pipe_->incoming.empty()) return {pipe_->ended ? wire::IoResult::kClosed : wire::IoResult::kWouldBlock};
    const size_t n = std::min(into.size(), pipe_->incoming.size());
    std::memcpy(into.data(), pipe_->incoming.data(), n);
    pipe_->incoming.erase(0, n);
    return {wire::IoResult::kDone, n};
  }
  wire::IoResult write(std::span<const iovec> pieces) override {
    MM_CHECK(!pipe_->closed && !pipe_->write_ended, "a write after the end");
    if (pipe_->broken) return {wire::IoResult::kFailed};
    if (pipe_->room == 0) return {wire::IoResult::kWouldBlock};
    size_t written = 0;
    for (const iovec& piece : pieces) {
      const size_t n = std::min(piece.iov_len, pipe_->room);
      pipe_->sent.append(static_cast<const char*>(piece.iov_base), n);
      pipe_->room -= pipe_->room == SIZE_MAX ? 0 : n;
      written += n;
    }
    MM_CHECK(written > 0, "a write of nothing");
    return {wire::IoResult::kDone, written};
  }
  void async_writable(std::shared_ptr<User> user) override {
    MM_CHECK(!pipe_->writer && !pipe_->closed, "one wait at a time");
    pipe_->writer = std::move(user);
  }
  void shutdown_write() override { pipe_->write_ended = true; }
  void close() override {
    pipe_->closed = true;
    pipe_->reader = nullptr;
    pipe_->writer = nullptr;
  }

 private:
  std::shared_ptr<Pipe> pipe_;
};

}  // namespace

wire::Limits WireRig::limits() {
  wire::Limits limits;
  limits.header_bytes = 1024;
  limits.http_body = 8 * 1024;
  limits.grpc_message = 8 * 1024;
  limits.header_count = 16;
  limits.inflated = 16 * 1024;
  limits.unsent = 128 * 1024;
  limits.streams_per_connection = 16;
  return limits;
}

WireRig::WireRig(wire::GrpcMethods& methods, Later& later) : loop_(*loops_.loops().front()), later_(later) {
  const auto http = [this](std::shared_ptr<wire::HttpExchange> exchange) { http_(std::move(exchange)); };
  wire::Server::Options options;
  options.limits = limits();
  core_ = std::make_shared<wire::ServerCore>(loops_, options, http, methods, metrics_);
}

void WireRig::open() {
  pipe_ = std::make_shared<Pipe>();
  undisturbed_ = true;
  now_ = TimePoint() + std::chrono::hours(1);
  MM_CHECK(core_->count_in(), "a connection is let in");
  loop_.count_connection(1);
  connection_ = std::make_shared<wire::Connection>(core_, loop_, std::make_unique<PipeTransport>(pipe_),
                                                   "127.0.0.1:4711", wire::Services());
  core_->connections_of(loop_).insert(connection_);
  post([this] { connection_->start(); });
}

void WireRig::play(Input& input, std::string_view stream, wire::HttpHandler http) {
  http_ = std::move(http);
  open();
  while (input.more_choices() && !pipe_->closed) step(input, stream);
  deliver(stream, stream.size());
  finish_work();
  MM_CHECK(pipe_->closed || pipe_->reader, "a connection with nothing left to do reads on");
  MM_CHECK(pipe_->closed || pipe_->incoming.empty(), "and has read all there is");

  pipe_->ended = true;
  settle();
  finish_work();
  MM_CHECK(pipe_->closed, "a connection whose peer has gone is closed");
  MM_CHECK(core_->connections_of(loop_).empty() && loop_.connections_approx() == 0, "and forgotten");
  const std::weak_ptr<wire::Connection> rest = std::exchange(connection_, nullptr);
  loop_.run_ready();
  MM_CHECK(rest.expired(), "and nobody holds it");
  http_ = nullptr;
}

/// A choice is an event (its upper three bits) and then a read (its lower five).
void WireRig::step(Input& input, std::string_view& stream) {
  const uint8_t choice = input.choice();
  const size_t low = choice & 31;
  switch (choice >> 5) {
    case 1: pipe_->room = 0; break;
    case 2: pipe_->room = pipe_->room == SIZE_MAX ? 100 : pipe_->room + 100; break;
    case 3: pipe_->room = SIZE_MAX; break;
    case 4: post([this] { later_.run_one(); }); break;
    case 5:
      post([this] {
        while (later_.run_one()) {
        }
      });
      break;
    case 6: post([this] { connection_->drain(); }); break;
    case 7: return rare_event(low);
    default: break;
  }
  if (choice >> 5 == 6) undisturbed_ = false;
  const size_t size = low == 31 ? SIZE_MAX : low < 24 ? low : size_t{32} << (low - 24);
  deliver(stream, size);
}

void WireRig::rare_event(size_t which) {
  undisturbed_ = false;
  if (which < 8) {
    pipe_->ended = true;
  } else if (which < 16) {
    pipe_->broken = true;
  } else if (which < 24) {
    post([this] { connection_->cut(); });
  } else {
    look(which < 28 ? WireRig::limits().stall_timeout : WireRig::limits().idle_timeout);
  }
  settle();
}

/// The look that is cast at connections after that time in which nothing has moved.
void WireRig::look(Duration later) {
  post([this] { connection_->look(now_); });
  now_ += later;
  if (!pipe_->closed) post([this] { connection_->look(now_); });
}

void WireRig::deliver(std::string_view& stream, size_t n) {
  n = std::min(n, stream.size());
  if (!pipe_->ended) pipe_->incoming += stream.substr(0, n);
  stream.remove_prefix(n);
  settle();
}

/// Whatever the connection waits for comes.
void WireRig::finish_work() {
  pipe_->room = SIZE_MAX;
  settle();
  bool more = true;
  while (more) {
    post([this, &more] { more = later_.run_one(); });
    settle();
  }
}

/// Lets the connection have all that is there for it.
void WireRig::settle() {
  loop_.run_ready();
  check_bounds();
  while (!pipe_->closed) {
    const bool readable = pipe_->broken || pipe_->ended || !pipe_->incoming.empty();
    const bool writable = pipe_->broken || pipe_->room > 0;
    if (pipe_->reader && readable) {
      post([this] {
        const auto reader = std::exchange(pipe_->reader, nullptr);
        const std::span<std::byte> into = pipe_->read_into;
        if (reader) reader->on_read(PipeTransport(pipe_).read(into));
      });
    } else if (pipe_->writer && writable) {
      post([this] {
        if (const auto writer = std::exchange(pipe_->writer, nullptr)) writer->on_writable();
      });
    } else {
      return;
    }
    check_bounds();
  }
}

/// Runs it in a turn of the loop.
void WireRig::post(std::function<void()> task) {
  loop_.post(std::move(task));
  loop_.run_ready();
}

void WireRig::check_bounds() const {
  if (connection_) MM_CHECK(connection_->out().size() <= kMostWaiting, "what waits to be sent is bounded");
}

}  // namespace modelmill::fuzz
