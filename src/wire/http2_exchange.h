#pragma once

#include <functional>
#include <string_view>

#include "wire/body_buffer.h"
#include "wire/gatekeeper.h"
#include "wire/http.h"
#include "wire/http2_head.h"
#include "wire/http2_stream.h"

namespace modelmill::wire {

/// A plain HTTP request over HTTP/2.
class Http2Exchange final : public Http2Stream, public HttpExchange {
 public:
  Http2Exchange(Http2Session& session, int32_t id);

  /// The request's headers are complete; `limit_met` names the limit that refuses it, if any.
  void begin(const Http2Head& head, std::string_view limit_met);

  HttpRequest& request() override { return request_; }
  Loop& loop() override { return loop_; }
  void reply(HttpReply reply) override;
  void begin(HttpReply head) override;
  void write(Chunks piece) override;
  void end() override;
  size_t unsent_bytes() const override { return out().size(); }
  void on_abandoned(std::function<void()> callback) override { abandoned_ = std::move(callback); }

  Protocol protocol() const override { return Protocol::kHttp2; }
  void on_data(std::span<const std::byte> bytes) override;
  void on_end() override;
  bool awaits_body() const override {
    return (state_ == State::kReceiving || state_ == State::kDone) && !remote_closed();
  }
  bool lets_body_run_out() const override;
  void on_stalled() override;
  void on_closed(uint32_t error_code, const std::shared_ptr<Http2Stream>& self) override;

 private:
  enum class State { kReceiving, kOpen, kStreaming, kDone };
  bool takes_reply() const { return session() != nullptr && state_ != State::kStreaming && state_ != State::kDone; }
  void submit(const HttpReply& reply, bool more, bool with_length);
  void refuse(int status, const std::string& message);

  Loop& loop_;
  HttpRequest request_;
  BodyBuffer body_;
  std::function<void()> abandoned_;
  std::unique_ptr<Ticket> ticket_;
  uint64_t announced_ = 0;  // of the body; 0: it is not known
  State state_ = State::kReceiving;
  bool bodiless_ = false;  // of a reply in pieces
};

}  // namespace modelmill::wire
