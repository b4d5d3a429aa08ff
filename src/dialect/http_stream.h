#pragma once

#include <memory>
#include <utility>

#include "dialect/paced_reply.h"
#include "wire/http.h"

namespace modelmill {

/// A reply over HTTP in pieces. Lives as long as a piece is on its way, or its maker holds it. send() and reply() are
/// any thread's, one call after the other.
class HttpStream final : public PacedReply {
 public:
  explicit HttpStream(std::shared_ptr<wire::HttpExchange> exchange)
      : PacedReply(exchange->loop()), exchange_(std::move(exchange)) {}

  /// Sends a piece; nothing if it is empty. That of the first call begins the reply with its `head`, others' are not
  /// looked at. The last one ends it.
  void send(wire::HttpReply head, Chunks piece, bool last);
  /// A whole reply in the place of all pieces.
  void reply(wire::HttpReply reply);
  /// The client has gone. Loop thread.
  void abandon() { stop(); }

 private:
  size_t unsent_bytes() const override { return exchange_->unsent_bytes(); }
  void deliver(wire::HttpReply head, Chunks piece, size_t size, bool last);

  const std::shared_ptr<wire::HttpExchange> exchange_;
  bool begun_ = false;  // the loop's
};

}  // namespace modelmill
