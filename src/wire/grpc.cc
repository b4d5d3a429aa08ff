#include "wire/grpc.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "wire/body_buffer.h"

namespace modelmill::wire {

void WholeMessageHandler::on_message_begin(size_t length) {
  length_ = length;
  filled_ = 0;
  memory_ = Memory::allocate(allowed_capacity(0, length));
}

void WholeMessageHandler::on_message_bytes(std::span<const std::byte> bytes) {
  if (filled_ + bytes.size() > memory_->size()) {
    MemoryRef bigger = Memory::allocate(std::max(filled_ + bytes.size(), allowed_capacity(filled_, length_)));
    std::memcpy(bigger->data(), memory_->data(), filled_);
    memory_ = std::move(bigger);
  }
  if (!bytes.empty()) std::memcpy(memory_->data() + filled_, bytes.data(), bytes.size());
  filled_ += bytes.size();
}

void WholeMessageHandler::on_message_end() {
  MemoryRef memory = std::move(memory_);
  const std::byte* data = memory->data();
  on_message(Bytes(std::move(memory), data, filled_));
}

namespace {

// One is made for each call.
class UnaryHandler final : public WholeMessageHandler {
 public:
  using Function = std::function<void(std::shared_ptr<GrpcCall>, Bytes)>;
  UnaryHandler(std::shared_ptr<GrpcCall> call, std::shared_ptr<const Function> function)
      : call_(std::move(call)), function_(std::move(function)) {}

  void on_message(Bytes message) override {
    if (called_) return call_->finish(internal("a unary method was sent more than one message"));
    called_ = true;
    (*function_)(call_, std::move(message));
  }
  void on_half_close() override {
    if (!called_) call_->finish(internal("a unary method was sent no message"));
  }
  void on_cancel(const Status&) override {}

 private:
  std::shared_ptr<GrpcCall> call_;
  std::shared_ptr<const Function> function_;
  bool called_ = false;
};

}  // namespace

GrpcMethodFactory unary_method(std::function<void(std::shared_ptr<GrpcCall>, Bytes)> function) {
  auto shared = std::make_shared<const UnaryHandler::Function>(std::move(function));
  return [shared](std::shared_ptr<GrpcCall> call) { return std::make_unique<UnaryHandler>(std::move(call), shared); };
}

void GrpcMethods::add(std::string path, GrpcMethodFactory factory, ApiGroup group) {
  const bool added = methods_.emplace(std::move(path), GrpcMethod{std::move(factory), group}).second;
  MM_CHECK(added, "a gRPC method was added twice");
}

void GrpcMethods::describe(const google::protobuf::ServiceDescriptor* service) { services_.push_back(service); }

const GrpcMethod* GrpcMethods::find(std::string_view path) const {
  const auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : &found->second;
}

}  // namespace modelmill::wire
