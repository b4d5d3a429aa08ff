// The wire alone, to measure what a request costs: POST / echoes the body; any gRPC message sent to /echo.Echo/Unary
// comes back as it is, /echo.Echo/Stream echoes each message of a stream, /echo.Echo/Hang never answers. Prints the
// port; ends when standard input does.
//   mm_wire_echo [loops] [port]

#include <malloc.h>

#include <cstdio>
#include <cstdlib>

#include "wire/server.h"

namespace {

using namespace modelmill;
using namespace modelmill::wire;

class StreamEcho final : public WholeMessageHandler {
 public:
  explicit StreamEcho(std::shared_ptr<GrpcCall> call) : call_(std::move(call)) {}
  void on_message(Bytes message) override { call_->send({std::move(message)}); }
  void on_half_close() override { call_->finish(ok_status(), {{"echo-bin", std::string("\0\xff", 2)}}); }
  void on_cancel(const Status& reason) override { std::printf("cancelled: %s\n", reason.to_string().c_str()); }

 private:
  std::shared_ptr<GrpcCall> call_;
};

class Hang final : public WholeMessageHandler {
 public:
  void on_message(Bytes) override {}
  void on_half_close() override {}
  void on_cancel(const Status& reason) override {
    std::printf("cancelled: %s\n", reason.to_string().c_str());
    std::fflush(stdout);
  }
};

}  // namespace

int main(int argc, char** argv) {
  ::mallopt(M_MMAP_THRESHOLD, 256 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 512 << 20);
  LoopPool loops(argc > 1 ? std::atoi(argv[1]) : 2);
  GrpcMethods methods;
  methods.add("/echo.Echo/Unary", unary_method([](const std::shared_ptr<GrpcCall>& call, Bytes message) {
                call->reply({std::move(message)});
              }));
  methods.add("/echo.Echo/Stream",
              [](std::shared_ptr<GrpcCall> call) { return std::make_unique<StreamEcho>(std::move(call)); });
  methods.add("/echo.Echo/Hang", [](const std::shared_ptr<GrpcCall>&) { return std::make_unique<Hang>(); });
  add_health_service(methods, [](std::string_view service) { return service.empty() ? 1 : 3; });
  add_reflection_service(methods);
  MetricRegistry metrics;
  Server::Options options;
  options.endpoints[0].port = static_cast<uint16_t>(argc > 2 ? std::atoi(argv[2]) : 0);
  Server server(
      loops, options,
      [](const std::shared_ptr<HttpExchange>& exchange) {
        if (exchange->request().path == "/hang") {
          exchange->on_abandoned([exchange] {
            std::printf("abandoned\n");
            std::fflush(stdout);
          });
          return;
        }
        HttpReply reply;
        reply.headers.emplace_back("content-type", "application/octet-stream");
        reply.body.push_back(exchange->request().body);
        exchange->reply(std::move(reply));
      },
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
