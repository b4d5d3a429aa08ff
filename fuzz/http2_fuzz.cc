// The frames of an HTTP/2 client, in any pieces, to plain requests and to gRPC methods of each kind, ours for the test
// and the server's own: handlers are called in the order that they were promised, and each stream is answered once.
#include <memory>
#include <string>

#include "base/check.h"
#include "dialect/kserve_v2/service.h"
#include "http2_frames.h"
#include "serve/testing/fake_version.h"
#include "targets.h"
#include "wire/grpc.h"
#include "wire_rig.h"

namespace modelmill::fuzz {
namespace {

using Call = std::shared_ptr<wire::GrpcCall>;

/// Holds a handler's caller to its word: begin, bytes of just that length, end; nothing after the client's end or the
/// call's; cancelled once.
class CheckedHandler final : public wire::GrpcCallHandler {
 public:
  explicit CheckedHandler(std::unique_ptr<wire::GrpcCallHandler> handler) : handler_(std::move(handler)) {}

  void on_message_begin(size_t length) override {
    MM_CHECK(open() && !inside_, "a message begins after the one before it");
    MM_CHECK(length <= WireRig::limits().grpc_message, "a message keeps its limit");
    inside_ = true;
    left_ = length;
    handler_->on_message_begin(length);
  }
  void on_message_bytes(std::span<const std::byte> bytes) override {
    MM_CHECK(open() && inside_ && bytes.size() <= left_, "the bytes of a message are within it");
    left_ -= bytes.size();
    handler_->on_message_bytes(bytes);
  }
  void on_message_end() override {
    MM_CHECK(open() && inside_ && left_ == 0, "a message ends when it is whole");
    inside_ = false;
    handler_->on_message_end();
  }
  void on_half_close() override {
    MM_CHECK(open() && !inside_, "the client's end is between messages");
    half_closed_ = true;
    handler_->on_half_close();
  }
  void on_cancel(const Status& reason) override {
    MM_CHECK(!cancelled_ && !reason.ok(), "cancelled once, for a reason");
    cancelled_ = true;
    handler_->on_cancel(reason);
  }

 private:
  bool open() const { return !half_closed_ && !cancelled_; }

  std::unique_ptr<wire::GrpcCallHandler> handler_;
  size_t left_ = 0;
  bool inside_ = false;
  bool half_closed_ = false;
  bool cancelled_ = false;
};

Chunks to_chunks(const Bytes& bytes) {
  Chunks chunks;
  chunks.push_back(bytes);
  return chunks;
}

/// Answers each message, at once or when its turn comes; ends with the client.
class EachHandler final : public wire::WholeMessageHandler {
 public:
  EachHandler(Call call, Later& later) : call_(std::move(call)), later_(later) {}
  void on_message(Bytes message) override {
    if (message.size() % 2 == 0) return call_->send(to_chunks(message));
    call_->pause_reading(true);
    later_.add([call = call_, message] {
      call->send(to_chunks(message));
      call->pause_reading(false);
    });
  }
  void on_half_close() override { call_->finish(ok_status(), {{"x-trailer", "t"}, {"x-bin", std::string("\0\1", 2)}}); }
  void on_cancel(const Status&) override {}

 private:
  Call call_;
  Later& later_;
};

class Methods {
 public:
  explicit Methods(Later& later) : inference_(catalog_.catalog()), service_(inference_, {}) {
    catalog_.add(testing::simple_description("m"));
    catalog_.add(testing::simple_description("late"), [&later](InferRequestPtr request) {
      std::shared_ptr<InferRequest> shared = std::move(request);
      later.add([shared] { shared->complete({}); });
    });
    service_.add_to(all_);
    wire::add_health_service(all_, [](std::string_view service) { return service.empty() ? 1 : 3; });
    wire::add_reflection_service(all_);
    all_.add("/fuzz.Echo/Unary",
             wire::unary_method([](const Call& call, const Bytes& message) { call->reply(to_chunks(message)); }));
    all_.add("/fuzz.Echo/Late", wire::unary_method([&later](const Call& call, const Bytes& message) {
               later.add([call, message] {
                 call->reply(to_chunks(message));
                 call->finish(internal("a second end is none"));
               });
             }));
    all_.add("/fuzz.Echo/Many", wire::unary_method([&later](const Call& call, const Bytes& message) {
               for (int i = 0; i < 3; ++i) call->send(to_chunks(message));
               later.add([call, message] {
                 call->send(to_chunks(message));
                 call->finish(not_found("50% \xff\n"));
               });
             }));
    all_.add("/fuzz.Echo/Each", [&later](Call call) { return std::make_unique<EachHandler>(std::move(call), later); });
    for (const char* path :
         {"/fuzz.Echo/Unary", "/fuzz.Echo/Late", "/fuzz.Echo/Many", "/fuzz.Echo/Each",
          "/inference.GRPCInferenceService/ModelInfer", "/inference.GRPCInferenceService/ModelStreamInfer",
          "/inference.GRPCInferenceService/ServerLive", "/inference.GRPCInferenceService/ModelMetadata",
          "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
          "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}) {
      const wire::GrpcMethod* method = all_.find(path);
      MM_CHECK(method != nullptr, path);
      checked_.add(
          path, [make = method->make](Call call) { return std::make_unique<CheckedHandler>(make(std::move(call))); });
    }
  }
  wire::GrpcMethods& checked() { return checked_; }

 private:
  testing::FakeCatalog catalog_;
  Inference inference_;
  kserve_v2::Service service_;
  wire::GrpcMethods all_;  // which reflection reads at each call
  wire::GrpcMethods checked_;
};

void answer(Later& later, const std::shared_ptr<wire::HttpExchange>& exchange) {
  const std::string& path = exchange->request().path;
  const auto has = [&](const char* word) { return path.find(word) != std::string::npos; };
  MM_CHECK(exchange->request().body.size() <= WireRig::limits().http_body, "the body keeps its limit");
  wire::HttpReply reply = wire::HttpReply::text(200, "text/plain", std::string(exchange->request().body.view()));
  if (has("204")) reply.status = 204;
  if (has("large")) reply.body = to_chunks(Bytes::from_string(std::string(40'000, 'x')));
  auto shared = std::make_shared<wire::HttpReply>(std::move(reply));
  const bool streamed = has("stream");
  const auto start = [exchange, shared, streamed, &later] {
    if (!streamed) return exchange->reply(std::move(*shared));
    exchange->begin(std::move(*shared));
    later.add([exchange] {
      exchange->write(to_chunks(Bytes::unowned("piece")));
      exchange->end();
      exchange->end();
    });
  };
  if (has("late"))
    later.add(start);
  else
    start();
}

/// Methods and the rig need each other: methods put work off into the rig's list, the rig serves the methods.
struct World {
  Later later;
  Methods methods{later};
  WireRig rig{methods.checked(), later};
};

}  // namespace

void http2(std::string_view bytes) {
  static World world;
  Input input(bytes);
  const std::string stream = http2_stream(input.content());
  world.rig.play(input, stream,
                 [](const std::shared_ptr<wire::HttpExchange>& exchange) { answer(world.later, exchange); });
  check_http2_answers(world.rig.sent());
}

}  // namespace modelmill::fuzz
