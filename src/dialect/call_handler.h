#pragma once

#include <memory>
#include <span>
#include <utility>

#include "wire/grpc.h"

namespace modelmill {

/// The wire's side of a call whose object is also held by its requests in flight, and so may outlive it.
template <typename Call>
class CallHandler final : public wire::GrpcCallHandler {
 public:
  explicit CallHandler(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  void on_message_begin(size_t length) override { call_->begin(length); }
  void on_message_bytes(std::span<const std::byte> bytes) override { call_->feed(bytes); }
  void on_message_end() override { call_->end(); }
  void on_half_close() override { call_->half_close(); }
  void on_cancel(const Status& reason) override { call_->cancel(reason); }

 private:
  const std::shared_ptr<Call> call_;
};

}  // namespace modelmill
