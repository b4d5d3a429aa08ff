#include <memory>
#include <string>
#include <utility>

#include "grpc/health/v1/health.pb.h"
#include "wire/grpc.h"
#include "wire/health_watches.h"
#include "wire/proto_chunks.h"

namespace modelmill::wire {
namespace {

namespace health = ::grpc::health::v1;
using Serving = std::function<int(std::string_view)>;
using Response = health::HealthCheckResponse;

/// How soon a watcher learns of a change.
constexpr Duration kWatchInterval = std::chrono::seconds(1);

Chunks response(int status) {
  Response message;
  message.set_status(static_cast<Response::ServingStatus>(status));
  return to_chunks(message);
}

void check(const Serving& serving, const std::shared_ptr<GrpcCall>& call, const Bytes& bytes) {
  health::HealthCheckRequest request;
  if (!parse_from(bytes, request)) return call->finish(invalid_argument("the request is not a HealthCheckRequest"));
  const int status = serving(request.service());
  if (status == Response::SERVICE_UNKNOWN)
    return call->finish(not_found("service '" + request.service() + "' is not known here"));
  call->reply(response(status));
}

}  // namespace

/// Sends the state when it is asked, and looks again from time to time, and when it is told to, for as long as the call
/// lasts. Loop thread.
class HealthWatch final : public std::enable_shared_from_this<HealthWatch> {
 public:
  HealthWatch(std::shared_ptr<GrpcCall> call, std::shared_ptr<const Serving> serving,
              std::shared_ptr<HealthWatches> watches)
      : call_(std::move(call)), serving_(std::move(serving)), watches_(std::move(watches)) {}
  ~HealthWatch() {
    if (asked_) watches_->remove(*this);
  }

  void ask(const Bytes& bytes) {
    health::HealthCheckRequest request;
    if (asked_ || !parse_from(bytes, request))
      return call_->finish(invalid_argument("Watch takes one HealthCheckRequest"));
    asked_ = true;
    service_ = request.service();
    watches_->add(*this);
    look();
  }
  void half_close() {
    if (!asked_) call_->finish(invalid_argument("Watch takes one HealthCheckRequest"));
  }
  void cancel() {
    cancelled_ = true;
    timer_.reset();
  }
  void look() {
    if (cancelled_) return;
    const int status = (*serving_)(service_);
    if (status != last_) call_->send(response(status));
    last_ = status;
    if (watches_->ended()) {
      cancel();
      call_->finish(unavailable("the server is stopping"));
    } else {
      timer_ = call_->loop().run_at(Clock::now() + kWatchInterval, [this] { look(); });
    }
  }
  Loop& loop() { return call_->loop(); }

 private:
  std::shared_ptr<GrpcCall> call_;
  std::shared_ptr<const Serving> serving_;
  std::shared_ptr<HealthWatches> watches_;
  std::unique_ptr<Loop::Timer> timer_;
  std::string service_;
  int last_ = -1;
  bool asked_ = false;
  bool cancelled_ = false;
};

namespace {

class WatchHandler final : public WholeMessageHandler {
 public:
  explicit WatchHandler(std::shared_ptr<HealthWatch> watch) : watch_(std::move(watch)) {}
  void on_message(Bytes bytes) override { watch_->ask(bytes); }
  void on_half_close() override { watch_->half_close(); }
  void on_cancel(const Status&) override { watch_->cancel(); }

 private:
  std::shared_ptr<HealthWatch> watch_;
};

}  // namespace

void HealthWatches::add(HealthWatch& watch) {
  MutexLock lock(mutex_);
  watches_.emplace(&watch, Entry{&watch.loop(), watch.weak_from_this()});
}

void HealthWatches::remove(HealthWatch& watch) {
  MutexLock lock(mutex_);
  watches_.erase(&watch);
}

bool HealthWatches::ended() const {
  MutexLock lock(mutex_);
  return ended_;
}

void HealthWatches::tell_all() {
  for (const auto& [key, entry] : watches_) {
    entry.loop->post([watch = entry.watch] {
      if (const auto here = watch.lock()) here->look();
    });
  }
}

void HealthWatches::look_again() {
  MutexLock lock(mutex_);
  tell_all();
}

void HealthWatches::end() {
  MutexLock lock(mutex_);
  ended_ = true;
  tell_all();
}

std::shared_ptr<HealthWatches> add_health_service(GrpcMethods& methods,
                                                  std::function<int(std::string_view service)> serving) {
  auto watches = std::make_shared<HealthWatches>();
  auto shared = std::make_shared<const Serving>(std::move(serving));
  methods.add("/grpc.health.v1.Health/Check",
              unary_method(
                  [shared](const std::shared_ptr<GrpcCall>& call, const Bytes& bytes) { check(*shared, call, bytes); }),
              ApiGroup::kHealth);
  methods.add(
      "/grpc.health.v1.Health/Watch",
      [shared, watches](std::shared_ptr<GrpcCall> call) {
        return std::make_unique<WatchHandler>(std::make_shared<HealthWatch>(std::move(call), shared, watches));
      },
      ApiGroup::kHealth);
  methods.describe(health::HealthCheckRequest::descriptor()->file()->FindServiceByName("Health"));
  return watches;
}

}  // namespace modelmill::wire
