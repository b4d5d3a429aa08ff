#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "answers.h"
#include "execute_frame.h"
#include "link.h"
#include "model_shape.h"
#include "modelmill/backend.hpp"

namespace modelmill::python {

/// On whose behalf a worker calls another model.
struct Caller {
  mm_request* request = nullptr;          // null: none's, or that of several
  int64_t deadline_ns = INT64_MAX;        // when nobody wants the answer any more
  std::shared_ptr<const void> kept = {};  // while it is held the execution does not end; for a moment only
};

/// The executions that a worker has, from their begin to their last answer. begin(), overdue(), caller_of() and
/// tell_cancelled() are for any thread; serve() and fail_all() for one at a time, the one that receives from the link.
class Executions {
 public:
  using Clock = std::chrono::steady_clock;

  /// The link and the shape outlive it.
  Executions(Link& link, const ModelShape& shape, uint64_t memory_limit)
      : link_(link), shape_(shape), memory_limit_(memory_limit), lent_(std::make_shared<std::atomic<uint64_t>>(0)) {}

  /// Sends it to the worker. Returns its number; 0 when it could not be sent: then its requests have been failed.
  uint64_t begin(backend::Execution execution);

  /// Answers an execution's requests as its answers come in, on this thread, so that a client that reads slowly holds
  /// up nobody else. For workers of several executions, whose answers are many; serve() goes on beside it.
  void follow(uint64_t id);

  /// Whether executions are to be followed.
  bool followed() const { return shape_.concurrent && shape_.decoupled; }
  /// Takes the worker's answers until execution `until` is over (0: for ever) or the link has ended. Throws
  /// ProtocolError. False: the link has ended.
  bool serve(uint64_t until);

  /// Fails what has no answer yet, and what is begun from now on.
  void fail_all(mm_code code, const std::string& message);

  /// Something began before `since` and nothing was heard of it after.
  bool overdue(Clock::time_point since) const;
  /// Tells the worker of requests that nobody wants any more. Those that were begun after `since` are not looked at.
  void tell_cancelled(Clock::time_point since);
  /// An execution came to its end.
  bool answered() const { return answered_.load(std::memory_order_relaxed); }
  size_t count() const { return count_.load(std::memory_order_relaxed); }

  /// Of an execution of one request that request, of several the latest deadline; of one that is over neither.
  Caller caller_of(uint64_t id);

 private:
  struct Running {
    backend::Execution execution;
    std::shared_ptr<Arena::Block> inputs;
    uint32_t open = 0;  // requests without a last answer
    Clock::time_point heard;
    int64_t deadline = INT64_MIN;  // the latest
    Clock::time_point begun = {};
    uint32_t callers = 0;         // guarded by mutex_; calls that are being made on its behalf
    std::vector<bool> told = {};  // the worker knows that it is cancelled
    // Answers that wait for who follows it; guarded by mutex_.
    std::deque<std::vector<std::byte>> waiting = {};
  };

  void take(const Frame& frame);
  void pass_on(uint64_t id, std::span<const std::byte> body);
  void take_response(uint64_t id, FrameReader body);
  Running* find(uint64_t id);
  std::unique_ptr<Running> take_out(uint64_t id);
  /// Ends it, which nobody finds any more, once no call is being made on its behalf.
  void end(std::unique_ptr<Running> running);
  void fail(std::unique_ptr<Running> running, mm_code code, const std::string& message);

  Link& link_;
  const ModelShape& shape_;
  const uint64_t memory_limit_;
  const std::shared_ptr<std::atomic<uint64_t>> lent_;
  std::atomic<uint64_t> next_{1};
  std::atomic<size_t> count_{0};
  std::atomic<bool> answered_{false};
  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, std::unique_ptr<Running>> running_;  // guarded by mutex_; ended by the receiver only
  std::string closed_;                                              // guarded by mutex_; why nothing can be begun
  mm_code closed_code_ = MM_UNAVAILABLE;                            // guarded by mutex_
  std::condition_variable passed_;  // something waits for who follows an execution, or a call has been made
  std::map<uint64_t, std::shared_ptr<Arena::Block>> kept_;  // guarded by mutex_; inputs that the worker looks at
};

}  // namespace modelmill::python
