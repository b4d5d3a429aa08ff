#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "runtime/turn.h"

namespace boost::asio {
class io_context;
}

namespace modelmill::wire {

class DeadlineList;

/// What has bytes to send: a connection. See Loop::flush_at_turn_end().
class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void flush() = 0;
};

/// One event loop on one thread: sockets, timers, and tasks from other threads. Work is done in turns (see Turn): all
/// that is ready runs, then the turn's listeners do what is better done together (inline batches, one write for each
/// connection). Owned by its LoopPool.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::io_context& context();

  /// Runs `task` on the loop's thread in a coming turn; tasks of one poster keep their order. Thread-safe. The loop is
  /// woken once however many tasks are posted before it gets to them. After stop() tasks are dropped, not run.
  void post(std::function<void()> task);

  /// True on the loop's own thread.
  bool on_thread() const;

  /// Runs `task` on the loop at `when`, unless the returned timer is destroyed before. Loop thread only.
  class Timer {
   public:
    virtual ~Timer() = default;
  };
  std::unique_ptr<Timer> run_at(TimePoint when, std::function<void()> task);

  /// Calls `what->flush()` once, after this turn's listeners have run, so that all that became ready together leaves in
  /// one write. The caller asks once per turn. Loop thread only.
  void flush_at_turn_end(std::shared_ptr<Flushable> what);
  /// Many deadlines that mostly do not pass, cheaper than a timer for each. Loop thread only.
  DeadlineList& deadlines();

  /// How busy: open connections. The acceptor gives a connection to the loop with the least.
  int connections_approx() const;
  void count_connection(int delta);

  /// Between start() and stop(): for the thread that calls those.
  bool running() const;
  void start();  // begins the thread
  void stop();   // ends it and joins; idempotent

  /// Instead of start(), for those who drive a loop by hand: runs on the calling thread, in turns, what is ready, and
  /// returns when nothing is.
  void run_ready();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

/// The server's loops, started and stopped together.
class LoopPool {
 public:
  explicit LoopPool(int count);
  ~LoopPool();
  Loop& least_busy();
  std::vector<Loop*> loops();
  void start();
  void stop();

 private:
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace modelmill::wire
