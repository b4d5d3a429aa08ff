#pragma once

#include <functional>
#include <memory>

#include "wire/gatekeeper.h"
#include "wire/http.h"

namespace modelmill::wire {

class Http1Session;

/// One request of an HTTP/1 connection. A reply that is not yet in turn is kept here until those before it are out.
class Http1Exchange final : public HttpExchange {
 public:
  Http1Exchange(Http1Session& session, Loop& loop) : session_(&session), loop_(loop) {}

  HttpRequest& request() override { return request_; }
  Loop& loop() override { return loop_; }
  void reply(HttpReply reply) override;
  void begin(HttpReply head) override;
  void write(Chunks piece) override;
  void end() override;
  size_t unsent_bytes() const override;
  void on_abandoned(std::function<void()> callback) override { abandoned_ = std::move(callback); }

  // For the session.
  struct Traits {
    bool keep_alive = true;
    bool http_1_0 = false;
    bool head = false;  // a HEAD request: its reply has no body
  };
  Traits traits;
  size_t body_size = 0;  // of the request
  std::unique_ptr<Ticket> ticket;
  /// It has become the first: what was kept goes out.
  void in_turn();
  /// The client has gone away.
  void abandon();
  /// The server is being taken down: nothing can be sent, and no one is told.
  void detach() { session_ = nullptr; }

 private:
  enum class State { kOpen, kStreaming, kDone };
  void put_head(const HttpReply& reply, bool streamed);
  void put_piece(const Chunks& piece);
  void put_end();
  void done();

  Http1Session* session_;  // null once the reply is out or the client gone
  Loop& loop_;
  HttpRequest request_;
  std::function<void()> abandoned_;
  State state_ = State::kOpen;
  bool head_out_ = false;
  bool chunked_ = false;
  bool bodiless_ = false;
  bool close_after_ = false;
  HttpReply kept_;     // the reply, or its head, while others are first
  Chunks kept_piece_;  // written meanwhile
};

}  // namespace modelmill::wire
