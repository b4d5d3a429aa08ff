#include "wire/server_core.h"

#include <utility>

#include "base/check.h"
#include "wire/connection.h"

namespace modelmill::wire {
namespace {

constexpr char kRefused[] = "modelmill_wire_refused_total";
constexpr char kRefusedHelp[] = "Connections, and requests by what of them was too large, that were refused by a limit";

}  // namespace

ServerCore::ServerCore(LoopPool& loops, const Limits& limits, HttpHandler http, GrpcMethods& grpc,
                       MetricRegistry& metrics)
    : http(std::move(http)), grpc(grpc), limits(limits), loops_(loops) {
  open_metric_ = metrics.gauge("modelmill_wire_connections_open", "Connections now open", {});
  total_metric_ = metrics.counter("modelmill_wire_connections_total", "Connections accepted so far", {});
  refused_connections_ = metrics.counter(kRefused, kRefusedHelp, {{"limit", "connections"}});
  refused_header_ = metrics.counter(kRefused, kRefusedHelp, {{"limit", "header"}});
  refused_body_ = metrics.counter(kRefused, kRefusedHelp, {{"limit", "body"}});
  refused_message_ = metrics.counter(kRefused, kRefusedHelp, {{"limit", "message"}});
  for (const Loop* loop : loops.loops()) connections_.emplace_back().first = loop;
}

ServerCore::~ServerCore() = default;

bool ServerCore::count_in() {
  {
    MutexLock lock(mutex_);
    if (open_ >= limits.connections) {
      refused_connections_->add();
      return false;
    }
    ++open_;
  }
  open_metric_->add(1);
  total_metric_->add();
  return true;
}

void ServerCore::count_out() {
  open_metric_->add(-1);
  MutexLock lock(mutex_);
  if (--open_ == 0) none_open_.notify_all();
}

void ServerCore::count_refused(std::string_view what) {
  if (what == "header") return refused_header_->add();
  if (what == "body") return refused_body_->add();
  refused_message_->add();
}

std::unordered_set<std::shared_ptr<Connection>>& ServerCore::connections_of(const Loop& loop) {
  for (auto& [of, connections] : connections_)
    if (of == &loop) return connections;
  MM_CHECK(false, "a loop of another pool");
  __builtin_unreachable();
}

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
