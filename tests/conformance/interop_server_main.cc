/// The interoperability tests' service on the wire's gRPC: interop_server [PORT]. Prints its port, and stops when its
/// standard input ends.

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "interop.pb.h"
#include "wire/grpc.h"
#include "wire/proto_chunks.h"
#include "wire/server.h"

namespace modelmill::wire {
namespace {

namespace interop = ::grpc::testing;
using CallPtr = std::shared_ptr<GrpcCall>;

constexpr std::string_view kService = "/grpc.testing.TestService/";
constexpr std::string_view kEchoInitial = "x-grpc-test-echo-initial";
constexpr std::string_view kEchoTrailing = "x-grpc-test-echo-trailing-bin";
constexpr int kLargestPayload = 64 << 20;

/// A client may ask for its metadata back: one before the first message, one with the status.
GrpcMetadata echo_metadata(GrpcCall& call) {
  GrpcMetadata trailers;
  for (const auto& [name, value] : call.metadata()) {
    if (name == kEchoInitial) call.add_header(name, value);
    if (name == kEchoTrailing) trailers.emplace_back(name, value);
  }
  return trailers;
}

template <typename Message>
Status fill_payload(Message& message, int size) {
  if (size < 0 || size > kLargestPayload) return invalid_argument("no payload has " + std::to_string(size) + " bytes");
  message.mutable_payload()->set_body(std::string(static_cast<size_t>(size), '\0'));
  return ok_status();
}

Status asked_status(const interop::EchoStatus& echo) {
  if (echo.code() == 0) return ok_status();
  if (echo.code() < 0 || echo.code() > 16) return {Code::kUnknown, echo.message()};
  return {static_cast<Code>(echo.code()), echo.message()};
}

void empty_call(const CallPtr& call, const Bytes&) { call->reply(to_chunks(interop::Empty())); }

void unary_call(const CallPtr& call, const Bytes& bytes) {
  interop::SimpleRequest request;
  if (!parse_from(bytes, request)) return call->finish(invalid_argument("not a SimpleRequest"));
  const GrpcMetadata trailers = echo_metadata(*call);
  if (const Status asked = asked_status(request.response_status()); !asked.ok()) return call->finish(asked, trailers);
  interop::SimpleResponse response;
  if (const Status status = fill_payload(response, request.response_size()); !status.ok()) return call->finish(status);
  call->send(to_chunks(response));
  call->finish(ok_status(), trailers);
}

/// Adds up what it is sent.
class InputCall final : public WholeMessageHandler {
 public:
  explicit InputCall(CallPtr call) : call_(std::move(call)) {}

  void on_message(Bytes bytes) override {
    interop::StreamingInputCallRequest request;
    if (!parse_from(bytes, request)) return call_->finish(invalid_argument("not a StreamingInputCallRequest"));
    size_ += request.payload().body().size();
  }
  void on_half_close() override {
    interop::StreamingInputCallResponse response;
    response.set_aggregated_payload_size(static_cast<int>(size_));
    call_->reply(to_chunks(response));
  }
  void on_cancel(const Status&) override {}

 private:
  CallPtr call_;
  size_t size_ = 0;
};

/// Sends what requests ask for, one after the other, each after its interval; the end when the client has ended.
class OutputCall final : public WholeMessageHandler {
 public:
  /// `at_half_close`: the first answer waits for the last request.
  OutputCall(CallPtr call, bool at_half_close) : call_(std::move(call)), held_(at_half_close) {
    trailers_ = echo_metadata(*call_);
  }

  void on_message(Bytes bytes) override {
    interop::StreamingOutputCallRequest request;
    if (!parse_from(bytes, request)) return call_->finish(invalid_argument("not a StreamingOutputCallRequest"));
    if (const Status asked = asked_status(request.response_status()); !asked.ok())
      return call_->finish(asked, trailers_);
    for (const auto& parameters : request.response_parameters()) wanted_.push_back(parameters);
    if (!held_) go_on();
  }
  void on_half_close() override {
    held_ = false;
    half_closed_ = true;
    go_on();
  }
  void on_cancel(const Status&) override { timer_.reset(); }

 private:
  void go_on() {
    while (!timer_ && !wanted_.empty()) {
      if (wanted_.front().interval_us() > 0) {
        const auto interval = std::chrono::microseconds(wanted_.front().interval_us());
        timer_ = call_->loop().run_at(Clock::now() + interval, [this] {
          const auto fired = std::move(timer_);
          send_next();
          go_on();
        });
        return;
      }
      send_next();
    }
    if (half_closed_ && !timer_) call_->finish(ok_status(), trailers_);
  }
  void send_next() {
    interop::StreamingOutputCallResponse response;
    const int size = wanted_.front().size();
    wanted_.pop_front();
    if (const Status status = fill_payload(response, size); !status.ok()) return call_->finish(status);
    call_->send(to_chunks(response));
  }

  CallPtr call_;
  GrpcMetadata trailers_;
  std::deque<interop::ResponseParameters> wanted_;
  std::unique_ptr<Loop::Timer> timer_;
  bool held_;
  bool half_closed_ = false;
};

/// UnimplementedCall is left out: that it is unknown is what its test is about.
void add_test_service(GrpcMethods& methods) {
  const auto path = [](std::string_view method) { return std::string(kService) + std::string(method); };
  methods.add(path("EmptyCall"), unary_method(empty_call));
  methods.add(path("UnaryCall"), unary_method(unary_call));
  methods.add(path("StreamingInputCall"), [](CallPtr call) { return std::make_unique<InputCall>(std::move(call)); });
  for (const auto* method : {"StreamingOutputCall", "FullDuplexCall"})
    methods.add(path(method), [](CallPtr call) { return std::make_unique<OutputCall>(std::move(call), false); });
  methods.add(path("HalfDuplexCall"), [](CallPtr call) { return std::make_unique<OutputCall>(std::move(call), true); });
  methods.describe(interop::Empty::descriptor()->file()->FindServiceByName("TestService"));
}

int serve(uint16_t port) {
  LoopPool loops(2);
  GrpcMethods methods;
  add_test_service(methods);
  add_health_service(methods, [](std::string_view service) { return service.empty() ? 1 : 3; });
  add_reflection_service(methods);
  MetricRegistry metrics;
  Server::Options options;
  options.endpoints[0].port = port;
  Server server(
      loops, options,
      [](const std::shared_ptr<HttpExchange>& exchange) { exchange->reply(HttpReply::text(404, "text/plain", "")); },
      methods, metrics);
  loops.start();
  if (const Status status = server.listen(); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.to_string().c_str());
    return 1;
  }
  std::printf("%d\n", server.port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.drain(Clock::now() + std::chrono::seconds(5));
  loops.stop();
  return 0;
}

}  // namespace
}  // namespace modelmill::wire

int main(int argc, char** argv) {
  return modelmill::wire::serve(static_cast<uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0));
}
