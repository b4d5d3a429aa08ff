#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "wire/http.h"

namespace modelmill {

/// Passes everything on to another exchange: for who only wants to see some of it.
class PassingExchange : public wire::HttpExchange {
 public:
  explicit PassingExchange(std::shared_ptr<wire::HttpExchange> inner) : inner_(std::move(inner)) {}

  wire::HttpRequest& request() override { return inner_->request(); }
  wire::Loop& loop() override { return inner_->loop(); }
  void reply(wire::HttpReply reply) override { inner_->reply(std::move(reply)); }
  void begin(wire::HttpReply head) override { inner_->begin(std::move(head)); }
  void write(Chunks piece) override { inner_->write(std::move(piece)); }
  void end() override { inner_->end(); }
  size_t unsent_bytes() const override { return inner_->unsent_bytes(); }
  void on_abandoned(std::function<void()> callback) override { inner_->on_abandoned(std::move(callback)); }

 private:
  const std::shared_ptr<wire::HttpExchange> inner_;
};

}  // namespace modelmill
