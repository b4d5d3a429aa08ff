#pragma once

#include <atomic>
#include <memory>
#include <unordered_set>
#include <vector>

#include "base/mutex.h"
#include "wire/server.h"

namespace modelmill::wire {

class Connection;

/// What the connections of a server share: its handlers, limits, counters, and who is connected. Constant while it
/// serves, but for the connections: each loop's set belongs to that loop's thread, the count to everyone.
class ServerCore {
 public:
  ServerCore(LoopPool& loops, const Limits& limits, HttpHandler http, GrpcMethods& grpc, MetricRegistry& metrics);
  ~ServerCore();

  const HttpHandler http;
  const GrpcMethods& grpc;
  const Limits limits;

  /// A connection was accepted; false when there are too many.
  bool count_in();
  /// It has ended.
  void count_out();
  /// A request was refused for its size: `what` is "header", "body" or "message".
  void count_refused(std::string_view what);

  /// Of the loop that this runs on.
  std::unordered_set<std::shared_ptr<Connection>>& connections_of(const Loop& loop);

  bool draining() const { return draining_.load(std::memory_order_acquire); }
  void set_draining() { draining_.store(true, std::memory_order_release); }
  /// Blocks until no connection is left, or until then.
  void wait_none_open(TimePoint until);
  /// Runs `task` once on every loop that is running and returns when all have run it.
  void on_every_loop(const std::function<void(Loop&)>& task);

 private:
  LoopPool& loops_;
  std::vector<std::pair<const Loop*, std::unordered_set<std::shared_ptr<Connection>>>> connections_;
  std::atomic<bool> draining_{false};
  std::shared_ptr<Gauge> open_metric_;
  std::shared_ptr<Counter> total_metric_;
  std::shared_ptr<Counter> refused_connections_;
  std::shared_ptr<Counter> refused_header_;
  std::shared_ptr<Counter> refused_body_;
  std::shared_ptr<Counter> refused_message_;

  Mutex mutex_;
  CondVar none_open_;
  int open_ MM_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelmill::wire
