// What comes of a call: its messages, out of gRPC's framing and compression. The rest is in grpc_stream.cc.

#include <algorithm>
#include <new>
#include <utility>

#include "runtime/offload.h"
#include "wire/connection.h"
#include "wire/grpc_encoding.h"
#include "wire/grpc_stream.h"
#include "wire/http2_session.h"
#include "wire/server_core.h"

namespace modelmill::wire {
namespace {

Result<Bytes> inflate_within_memory(const Bytes& message, size_t limit) try {
  return inflate_message({message.data(), message.size()}, limit);
} catch (const std::bad_alloc&) {
  return resource_exhausted("no memory for the inflated message");
}

}  // namespace

void GrpcStream::on_data(std::span<const std::byte> bytes) {
  if (finished_ || !handler_) return;
  try {
    if (!held_back_) bytes = deframer_.feed(bytes, *this);
    if (held_back_) held_back_->add(bytes);
  } catch (const std::bad_alloc&) {
    end_early(resource_exhausted("no memory for the request's message"));
  }
}

bool GrpcStream::on_frame_begin(bool compressed, uint32_t length) {
  const size_t limit = session()->connection().core().limits.grpc_message;
  if (length > limit) {
    session()->connection().core().count_refused("message");
    end_early(resource_exhausted("the request's message of " + std::to_string(length) +
                                 " bytes is larger than the limit of " + std::to_string(limit) +
                                 " bytes (--max-message-bytes)"));
    return false;
  }
  if (compressed) {
    if (!has_encoding_) {
      end_early(internal("a message is marked as compressed, but the call names no grpc-encoding"));
      return false;
    }
    compressed_ = std::make_unique<BodyBuffer>();
    compressed_->expect(length);
    return true;
  }
  handler_->on_message_begin(length);
  return !ended();
}

bool GrpcStream::on_frame_bytes(std::span<const std::byte> bytes) {
  if (compressed_)
    compressed_->append(bytes);
  else
    handler_->on_message_bytes(bytes);
  return !ended();
}

bool GrpcStream::on_frame_end() {
  if (compressed_) {
    const Bytes all = std::exchange(compressed_, nullptr)->take();
    return inflate(all);
  }
  handler_->on_message_end();
  return !ended();
}

/// Here, if it turns out to be little, or else on another thread, while what follows is held back. False: the call has
/// ended.
bool GrpcStream::inflate(const Bytes& message) {
  const ServerCore& core = session()->connection().core();
  const size_t limit = std::min(core.limits.grpc_message, core.limits.inflated);
  if (core.offload == nullptr || limit <= kLoopBytes) return take_inflated(inflate_within_memory(message, limit));
  if (message.size() <= kLoopBytes) {
    Result<Bytes> small = inflate_within_memory(message, kLoopBytes);
    if (small.status().code() != Code::kResourceExhausted) return take_inflated(std::move(small));
  }
  auto self = std::static_pointer_cast<GrpcStream>(shared_self());
  if (!core.offload->run([self, message, limit] {
        self->loop_.post([self, inflated = inflate_within_memory(message, limit)]() mutable {
          self->inflated_elsewhere(std::move(inflated));
        });
      })) {
    end_early(
        unavailable("more compressed messages wait than this server's processors can inflate in time; send "
                    "fewer at once, or without compression"));
    return false;
  }
  held_back_ = std::make_unique<HeldBack>();
  deframer_.pause();
  pause(true);
  return true;
}

bool GrpcStream::take_inflated(Result<Bytes> message) {
  if (!message.ok()) {
    if (message.status().code() == Code::kResourceExhausted) session()->connection().core().count_refused("inflated");
    end_early(message.status());
    return false;
  }
  handler_->on_message_begin(message->size());
  if (!ended() && !message->empty()) handler_->on_message_bytes({message->data(), message->size()});
  if (!ended()) handler_->on_message_end();
  return !ended();
}

void GrpcStream::inflated_elsewhere(Result<Bytes> message) {
  const std::unique_ptr<HeldBack> held = std::move(held_back_);
  if (ended() || !handler_) return;
  pause(false);
  deframer_.resume();
  if (!take_inflated(std::move(message))) return;
  on_data(held->bytes);
  if (held->ended) on_end();
}

void GrpcStream::on_end() {
  if (finished_ || !handler_) return;
  if (held_back_) {
    held_back_->ended = true;
    return;
  }
  if (deframer_.inside_message()) return end_early(internal("the client ended the call inside a message"));
  handler_->on_half_close();
}

}  // namespace modelmill::wire
