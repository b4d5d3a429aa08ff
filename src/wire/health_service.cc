#include <memory>
#include <string>
#include <utility>

#include "grpc/health/v1/health.pb.h"
#include "wire/grpc.h"
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

/// Sends the state when it is asked, and looks again from time to time for as long as the call lasts.
class WatchHandler final : public WholeMessageHandler {
 public:
  WatchHandler(std::shared_ptr<GrpcCall> call, std::shared_ptr<const Serving> serving)
      : call_(std::move(call)), serving_(std::move(serving)) {}

  void on_message(Bytes bytes) override {
    health::HealthCheckRequest request;
    if (asked_ || !parse_from(bytes, request))
      return call_->finish(invalid_argument("Watch takes one HealthCheckRequest"));
    asked_ = true;
    service_ = request.service();
    look();
  }
  void on_half_close() override {
    if (!asked_) call_->finish(invalid_argument("Watch takes one HealthCheckRequest"));
  }
  void on_cancel(const Status&) override { timer_.reset(); }

 private:
  void look() {
    const int status = (*serving_)(service_);
    if (status != last_) call_->send(response(status));
    last_ = status;
    timer_ = call_->loop().run_at(Clock::now() + kWatchInterval, [this] { look(); });
  }

  std::shared_ptr<GrpcCall> call_;
  std::shared_ptr<const Serving> serving_;
  std::unique_ptr<Loop::Timer> timer_;
  std::string service_;
  int last_ = -1;
  bool asked_ = false;
};

}  // namespace

void add_health_service(GrpcMethods& methods, std::function<int(std::string_view service)> serving) {
  auto shared = std::make_shared<const Serving>(std::move(serving));
  methods.add("/grpc.health.v1.Health/Check",
              unary_method(
                  [shared](const std::shared_ptr<GrpcCall>& call, const Bytes& bytes) { check(*shared, call, bytes); }),
              ApiGroup::kHealth);
  methods.add(
      "/grpc.health.v1.Health/Watch",
      [shared](std::shared_ptr<GrpcCall> call) { return std::make_unique<WatchHandler>(std::move(call), shared); },
      ApiGroup::kHealth);
  methods.describe(health::HealthCheckRequest::descriptor()->file()->FindServiceByName("Health"));
}

}  // namespace modelmill::wire
