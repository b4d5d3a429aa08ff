#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "input.h"
#include "runtime/metrics.h"
#include "wire/server_core.h"
#include "wire/transport.h"

namespace modelmill::wire {
class Connection;
}

namespace modelmill::fuzz {

/// The client's end of a connection that has no sockets, and what it has got so far.
struct Pipe {
  std::string incoming;    // what the server has yet to read
  bool ended = false;      // the client sends no more
  bool broken = false;     // the connection is lost
  size_t room = SIZE_MAX;  // what the server may still write
  std::string sent;        // what it has written
  bool closed = false;     // it has let go of the connection
  bool write_ended = false;

  std::span<std::byte> read_into;
  std::shared_ptr<wire::Transport::User> reader;  // waits to read
  std::shared_ptr<wire::Transport::User> writer;  // waits to write
};

/// What handlers put off: done one by one when the input says so.
class Later {
 public:
  void add(std::function<void()> task) { tasks_.push_back(std::move(task)); }
  bool run_one() {
    if (tasks_.empty()) return false;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }

 private:
  std::deque<std::function<void()>> tasks_;
};

/// The server's side of one connection after another, on a loop driven by hand. The input chooses how the client's
/// bytes are cut into reads and what happens in between: a client that stops reading, answers that come late, draining,
/// the connection's end. Checked on the way: what waits to be sent is bounded, a connection that could go on reads on,
/// and one whose peer has gone ends and leaves nothing.
class WireRig {
 public:
  /// `later`: what handlers put off.
  WireRig(wire::GrpcMethods& methods, Later& later);

  /// Plays `stream` to a new connection, whose requests go to `http`.
  void play(Input& input, std::string_view stream, wire::HttpHandler http);

  static wire::Limits limits();
  /// Of the last connection: all that the server has written.
  const std::string& sent() const { return pipe_->sent; }
  /// Its end was natural: the client sent all it had, read all it got, and only then went.
  bool undisturbed() const { return undisturbed_; }

 private:
  void open();
  void step(Input& input, std::string_view& stream);
  void rare_event(size_t which);
  void deliver(std::string_view& stream, size_t n);
  void finish_work();
  void look(Duration later);
  void settle();
  void post(std::function<void()> task);
  void check_bounds() const;

  wire::LoopPool loops_{1};
  wire::Loop& loop_;
  MetricRegistry metrics_;
  wire::HttpHandler http_;
  std::shared_ptr<wire::ServerCore> core_;
  Later& later_;
  std::shared_ptr<Pipe> pipe_;
  std::shared_ptr<wire::Connection> connection_;
  TimePoint now_;  // of looks
  bool undisturbed_ = true;
};

}  // namespace modelmill::fuzz
