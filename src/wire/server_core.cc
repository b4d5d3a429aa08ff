#include "wire/server_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "wire/connection.h"
#include "wire/http_text.h"

namespace modelmill::wire {
namespace {

constexpr char kRefused[] = "modelmill_wire_refused_total";
constexpr char kRefusedHelp[] = "Connections and requests that were refused or cut, by the limit that they met";

/// So often that a timeout passes at most a few hundredths late, and not so often that many connections cost anything.
Duration look_interval(const Limits& limits) {
  Duration shortest = Duration::zero();
  for (const Duration timeout :
       {Duration(limits.idle_timeout), Duration(limits.header_timeout), Duration(limits.stall_timeout),
        Duration(limits.connection_age), Duration(limits.connection_age_grace)})
    if (timeout > Duration::zero() && (shortest == Duration::zero() || timeout < shortest)) shortest = timeout;
  if (shortest == Duration::zero()) return shortest;
  return std::clamp<Duration>(shortest / 16, std::chrono::milliseconds(2), std::chrono::seconds(5));
}

}  // namespace

std::shared_ptr<Counter> refused_counter(MetricRegistry& metrics, std::string_view limit) {
  return metrics.counter(kRefused, kRefusedHelp, {{"limit", std::string(limit)}});
}

std::string limit_message(const Limits& limits, std::string_view limit) {
  const auto seconds = [](std::chrono::milliseconds timeout) {
    std::string text = std::to_string(timeout.count() / 1000);
    if (timeout.count() % 1000 != 0) text = std::to_string(timeout.count()) + "/1000";
    return text + " s";
  };
  if (limit == "header")
    return "the headers are larger than the limit of " + std::to_string(limits.header_bytes) +
           " bytes (--max-header-bytes)";
  if (limit == "headers")
    return "there are more headers than the limit of " + std::to_string(limits.header_count) + " (--max-headers)";
  if (limit == "unsent")
    return "the connection's replies wait to be read, more than the limit of " + std::to_string(limits.unsent) +
           " bytes (--max-unsent-bytes); read them, then ask again";
  if (limit == "header timeout")
    return "the request's headers were not complete after " + seconds(limits.header_timeout) + " (--header-timeout)";
  return "the request's body came at less than " + std::to_string(kLeastBytesPerSecond) + " bytes a second for " +
         seconds(limits.stall_timeout) + " (--stall-timeout)";
}

ServerCore::ServerCore(LoopPool& loops, const Server::Options& options, HttpHandler http, GrpcMethods& grpc,
                       MetricRegistry& metrics)
    : http(std::move(http)),
      grpc(grpc),
      limits(options.limits),
      gatekeeper(options.gatekeeper),
      offload(options.offload),
      refusal_log(options.refusal_log),
      loops_(loops),
      counters_(loops.loops().size(), metrics) {
  open_metric_ = metrics.gauge("modelmill_wire_connections_open", "Connections now open", {});
  total_metric_ = metrics.counter("modelmill_wire_connections_total", "Connections accepted so far", {});
  for (const std::string_view limit : kLimitNames) refused_.emplace_back(limit, refused_counter(metrics, limit));
  for (Loop* loop : loops.loops()) connections_.emplace_back(loop, ConnectionSet(*loop, look_interval(limits)));
}

ServerCore::~ServerCore() = default;

HttpReply ServerCore::refusal(const HttpRequest& request, int status, std::string_view message) const {
  HttpReply reply = error_reply(status, message);
  if (refusal_log) {
    uint64_t bytes = 0;
    for (const Bytes& piece : reply.body) bytes += piece.size();
    refusal_log(request, status, bytes);
  }
  return reply;
}

bool ServerCore::count_in() {
  {
    MutexLock lock(mutex_);
    if (open_ >= limits.connections) {
      count_refused("connections");
      return false;
    }
    ++open_;
  }
  open_metric_->add(1);
  total_metric_->add();
  return true;
}

int ServerCore::open_connections() {
  MutexLock lock(mutex_);
  return open_;
}

void ServerCore::count_out() {
  open_metric_->add(-1);
  MutexLock lock(mutex_);
  if (--open_ == 0) none_open_.notify_all();
}

void ServerCore::count_refused(std::string_view limit) {
  for (const auto& [name, counter] : refused_)
    if (name == limit) return counter->add();
  MM_CHECK(false, "a limit without a name");
}

size_t ServerCore::index_of(const Loop& loop) const {
  for (size_t i = 0; i < connections_.size(); ++i)
    if (connections_[i].first == &loop) return i;
  MM_CHECK(false, "a loop of another pool");
  __builtin_unreachable();
}

ConnectionSet& ServerCore::connections_of(const Loop& loop) { return connections_[index_of(loop)].second; }

LoopCounters& ServerCore::counters_of(const Loop& loop) { return counters_.of_loop(index_of(loop)); }

void ServerCore::wait_none_open(TimePoint until) {
  MutexLock lock(mutex_);
  while (open_ > 0)
    if (none_open_.wait_until(mutex_, until) == std::cv_status::timeout) return;
}

void ServerCore::on_every_loop(const std::function<void(Loop&)>& task) {
  struct Latch {
    Mutex mutex;
    CondVar done;
    size_t left MM_GUARDED_BY(mutex) = 0;
  };
  auto latch = std::make_shared<Latch>();
  std::vector<Loop*> loops = loops_.loops();
  std::erase_if(loops, [](const Loop* loop) { return !loop->running(); });
  {
    MutexLock lock(latch->mutex);
    latch->left = loops.size();
  }
  for (Loop* loop : loops) {
    // Counts down when the task is destroyed: after it has run, or because it never will.
    std::shared_ptr<void> token(nullptr, [latch](void*) {
      MutexLock lock(latch->mutex);
      if (--latch->left == 0) latch->done.notify_all();
    });
    loop->post([loop, task, token = std::move(token)] { task(*loop); });
  }
  MutexLock lock(latch->mutex);
  while (latch->left > 0) latch->done.wait(latch->mutex);
}

}  // namespace modelmill::wire
