#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "wire/connection_set.h"
#include "wire/gatekeeper.h"
#include "wire/server.h"
#include "wire/wire_counters.h"

namespace modelmill::wire {

class Connection;

/// The limits, as modelmill_wire_refused_total names them.
inline constexpr std::string_view kLimitNames[] = {"connections", "files",   "streams",  "header", "headers",
                                                   "body",        "message", "inflated", "idle",   "header timeout",
                                                   "stall",       "flood",   "unsent",   "age"};

/// What a client is told whose request has met that limit.
std::string limit_message(const Limits& limits, std::string_view limit);

/// What must move in each stall_timeout.
inline uint64_t least_bytes(const Limits& limits) {
  return kLeastBytesPerSecond * static_cast<uint64_t>(limits.stall_timeout.count()) / 1000;
}

/// What the connections of a server share: its handlers, limits, counters, and who is connected. Constant while it
/// serves, but for the connections: each loop's set belongs to that loop's thread, the count to everyone.
class ServerCore {
 public:
  ServerCore(LoopPool& loops, const Server::Options& options, HttpHandler http, GrpcMethods& grpc,
             MetricRegistry& metrics);
  ~ServerCore();

  const HttpHandler http;
  const GrpcMethods& grpc;
  const Limits limits;
  const std::shared_ptr<Gatekeeper> gatekeeper;  // null: everyone may call everything
  Offload* const offload;                        // null: everything is done on the loops
  const RefusalLog refusal_log;                  // null: nobody is told

  /// A connection was accepted; false when there are too many.
  bool count_in();
  /// It has ended.
  void count_out();
  int open_connections();
  /// A limit has been met: `limit` is one of kLimitNames.
  void count_refused(std::string_view limit);

  /// The reply to a request that the wire answers by itself; whoever wants to know is told.
  HttpReply refusal(const HttpRequest& request, int status, std::string_view message) const;

  LoopCounters& counters_of(const Loop& loop);

  /// Of the loop that this runs on.
  ConnectionSet& connections_of(const Loop& loop);

  bool asks_to_leave() const { return asks_to_leave_.load(std::memory_order_relaxed); }
  void set_asks_to_leave() { asks_to_leave_.store(true, std::memory_order_relaxed); }
  bool draining() const { return draining_.load(std::memory_order_acquire); }
  void set_draining() { draining_.store(true, std::memory_order_release); }
  /// Blocks until no connection is left, or until then.
  void wait_none_open(TimePoint until);
  /// Runs `task` once on every loop that is running and returns when all have run it.
  void on_every_loop(const std::function<void(Loop&)>& task);

 private:
  size_t index_of(const Loop& loop) const;

  LoopPool& loops_;
  WireCounters counters_;
  std::vector<std::pair<const Loop*, ConnectionSet>> connections_;
  std::atomic<bool> asks_to_leave_{false};
  std::atomic<bool> draining_{false};
  std::shared_ptr<Gauge> open_metric_;
  std::shared_ptr<Counter> total_metric_;
  std::vector<std::pair<std::string_view, std::shared_ptr<Counter>>> refused_;  // by limit

  Mutex mutex_;
  CondVar none_open_;
  int open_ MM_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelmill::wire
