#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wire/grpc.h"
#include "wire/http.h"
#include "wire/loop.h"

namespace modelmill::testing {

inline std::string joined(const Chunks& chunks) {
  std::string all;
  for (const Bytes& chunk : chunks) all += chunk.view();
  return all;
}

/// A running loop, on whose thread a test does what only the loop may do.
class LoopThread {
 public:
  LoopThread() { loop_.start(); }
  ~LoopThread() { loop_.stop(); }
  wire::Loop& loop() { return loop_; }

  /// Runs `f` on the loop and waits for its end.
  void run(std::function<void()> f) {
    std::promise<void> done;
    loop_.post([&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  wire::Loop loop_;
};

/// An exchange that keeps its reply, whole or in pieces.
class FakeExchange final : public wire::HttpExchange {
 public:
  FakeExchange(wire::Loop& loop, wire::HttpRequest request) : loop_(loop), request_(std::move(request)) {}

  wire::HttpRequest& request() override { return request_; }
  wire::Loop& loop() override { return loop_; }
  void reply(wire::HttpReply reply) override { replied_.set_value(std::move(reply)); }
  void begin(wire::HttpReply head) override { head_ = std::move(head); }
  void write(Chunks piece) override {
    pieces.push_back(joined(piece));
    unsent += pieces.back().size();
  }
  void end() override { replied_.set_value(std::move(head_)); }
  size_t unsent_bytes() const override { return unsent; }
  void on_abandoned(std::function<void()> callback) override { abandoned = std::move(callback); }

  /// Waits for the reply, of one in pieces for its end: its head, then.
  wire::HttpReply wait() { return replied_.get_future().get(); }

  std::function<void()> abandoned;
  std::vector<std::string> pieces;  // the loop's
  size_t unsent = 0;                // what was written, until the test takes it

 private:
  wire::Loop& loop_;
  wire::HttpRequest request_;
  wire::HttpReply head_;
  std::promise<wire::HttpReply> replied_;
};

inline wire::HttpRequest http_request(std::string method, std::string path, std::string body = "",
                                      std::vector<std::pair<std::string, std::string>> headers = {}) {
  wire::HttpRequest request;
  request.method = std::move(method);
  if (const size_t mark = path.find('?'); mark != std::string::npos) {
    request.query = path.substr(mark + 1);
    path.resize(mark);
  }
  request.path = std::move(path);
  request.headers = std::move(headers);
  request.body = Bytes::copy_of(body);
  return request;
}

/// Gives a request to a handler on the loop and waits for the reply.
inline wire::HttpReply ask(LoopThread& thread, const wire::HttpHandler& handler, wire::HttpRequest request) {
  const auto exchange = std::make_shared<FakeExchange>(thread.loop(), std::move(request));
  thread.run([&] { handler(exchange); });
  return exchange->wait();
}

inline std::string header_of(const wire::HttpReply& reply, const std::string& name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return "";
}

/// A call that keeps what is sent. Members for the test are read on the loop, or after wait_finished().
class FakeCall final : public wire::GrpcCall {
 public:
  FakeCall(wire::Loop& loop, std::string method, wire::GrpcMetadata metadata = {})
      : loop_(loop), method_(std::move(method)), metadata_(std::move(metadata)) {}

  std::string_view method() const override { return method_; }
  const wire::GrpcMetadata& metadata() const override { return metadata_; }
  TimePoint deadline() const override { return kNever; }
  wire::Loop& loop() override { return loop_; }
  const std::string& peer() const override { return peer_; }
  void add_header(std::string name, std::string value) override {
    headers.emplace_back(std::move(name), std::move(value));
  }
  void send(Chunks message) override { sent.push_back(joined(message)); }
  void finish(const Status& result, const wire::GrpcMetadata& = {}) override {
    if (status) return;
    status = result;
    finished_.set_value();
  }
  void reply(Chunks message) override {
    send(std::move(message));
    finish(ok_status());
  }
  size_t unsent_bytes() const override { return unsent; }
  void pause_reading(bool value) override { paused = value; }

  void wait_finished() { finished_.get_future().wait(); }

  std::vector<std::string> sent;
  wire::GrpcMetadata headers;
  std::optional<Status> status;
  size_t unsent = 0;
  bool paused = false;

 private:
  wire::Loop& loop_;
  std::string method_;
  std::string peer_ = "127.0.0.1:1";
  wire::GrpcMetadata metadata_;
  std::promise<void> finished_;
};

/// Feeds one whole message to a handler, in pieces of `piece` bytes.
inline void feed(wire::GrpcCallHandler& handler, const std::string& message, size_t piece = SIZE_MAX) {
  handler.on_message_begin(message.size());
  for (size_t at = 0; at < message.size();) {
    const size_t n = std::min(piece, message.size() - at);
    handler.on_message_bytes(std::as_bytes(std::span(message.data() + at, n)));
    at += n;
  }
  handler.on_message_end();
}

/// A call with one message, which has ended. `piece` as feed() has it.
inline std::shared_ptr<FakeCall> call_unary(LoopThread& thread, wire::GrpcMethods& methods, const std::string& path,
                                            const std::string& message, size_t piece = 5) {
  const auto call = std::make_shared<FakeCall>(thread.loop(), path);
  std::unique_ptr<wire::GrpcCallHandler> handler;
  thread.run([&] {
    handler = methods.find(path)->make(call);
    feed(*handler, message, piece);
    handler->on_half_close();
  });
  call->wait_finished();
  thread.run([&] { handler.reset(); });
  return call;
}

/// The status of such a call, and its answer where it has one.
template <typename Request, typename Response>
Status call_unary(LoopThread& thread, wire::GrpcMethods& methods, const std::string& path, const Request& request,
                  Response& response) {
  const auto call = call_unary(thread, methods, path, request.SerializeAsString());
  if (!call->sent.empty()) {
    EXPECT_TRUE(response.ParseFromString(call->sent[0]));
  }
  return *call->status;
}

}  // namespace modelmill::testing
