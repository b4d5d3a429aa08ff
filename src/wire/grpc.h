#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/status.h"
#include "runtime/trace_context.h"
#include "tensor/tensor.h"
#include "wire/api_group.h"
#include "wire/grpc_encoding.h"
#include "wire/loop.h"

namespace google::protobuf {
class ServiceDescriptor;
}

namespace modelmill::wire {

class HealthWatches;

/// Metadata of a call: lower-case names; values of "-bin" names are already base64-decoded.
using GrpcMetadata = std::vector<std::pair<std::string, std::string>>;

/// A message as it goes out, without its prefix.
struct PackedMessage {
  Chunks bytes;
  bool compressed = false;
};

/// The server's side of one gRPC call. All members are for the loop's thread. After the call has ended (finished,
/// cancelled, connection lost) send() and finish() do nothing.
class GrpcCall {
 public:
  virtual ~GrpcCall() = default;
  virtual std::string_view method() const = 0;  // "/package.Service/Method"
  virtual const GrpcMetadata& metadata() const = 0;
  /// From grpc-timeout; kNever without one. When it passes the wire ends the call with DEADLINE_EXCEEDED by itself and
  /// tells the handler with on_cancel().
  virtual TimePoint deadline() const = 0;
  /// Of the metadata traceparent; not present() without one.
  virtual TraceContext trace() const { return {}; }
  /// Whether the caller asks where the call's time goes, by the metadata x-server-timing: 1.
  virtual bool asks_timing() const { return false; }
  virtual Loop& loop() = 0;
  virtual const std::string& peer() const = 0;

  /// Adds to the initial metadata; before the first send(), later it does nothing. An answer without a message has it
  /// together with its trailers. "-bin" values are encoded by the wire.
  virtual void add_header(std::string name, std::string value) = 0;
  /// Sends one message; `message` is the serialised protobuf in pieces, which are not copied. The length prefix is
  /// added.
  virtual void send(Chunks message) = 0;
  /// Ends the call with this status in the trailers. Once.
  virtual void finish(const Status& status, const GrpcMetadata& trailers = {}) = 0;
  /// send() and finish(OK) in one, the unary answer: headers, message and trailers leave together.
  virtual void reply(Chunks message) = 0;

  /// Compresses the message if this call's answers are and it pays. Any thread, from the call's first message on: so a
  /// large one need not be compressed on the loop, as it is by send() and reply().
  virtual void pack(PackedMessage& message) const { (void)message; }
  virtual void send_packed(PackedMessage&& message) { send(std::move(message.bytes)); }
  virtual void reply_packed(PackedMessage&& message) { reply(std::move(message.bytes)); }

  /// Bytes accepted by send() that the client's flow control has not yet let out.
  virtual size_t unsent_bytes() const = 0;
  /// Stops (true) or resumes (false) granting the client flow-control window for request bytes of this call.
  virtual void pause_reading(bool paused) = 0;
};

/// What a method does with one call. Made when the headers arrive, destroyed after the call has ended on both sides.
/// All calls come on the loop's thread. The bytes of a message are given as they arrive, so that a scanner can put each
/// tensor where it belongs; compressed messages come inflated.
class GrpcCallHandler {
 public:
  virtual ~GrpcCallHandler() = default;
  virtual void on_message_begin(size_t length) = 0;
  virtual void on_message_bytes(std::span<const std::byte> bytes) = 0;
  virtual void on_message_end() = 0;
  /// The client will send no more.
  virtual void on_half_close() = 0;
  /// The call has ended early: RST_STREAM, connection lost, or deadline. Not called after finish().
  virtual void on_cancel(const Status& reason) = 0;
};

/// Gathers each message whole and gives it to on_message(): for every method where streaming the bytes would not pay.
class WholeMessageHandler : public GrpcCallHandler {
 public:
  virtual void on_message(Bytes message) = 0;

  void on_message_begin(size_t length) final;
  void on_message_bytes(std::span<const std::byte> bytes) final;
  void on_message_end() final;

 private:
  MemoryRef memory_;  // grows with what has arrived, so that a length that lies costs the server nothing
  size_t filled_ = 0;
  size_t length_ = 0;
};

using GrpcMethodFactory = std::function<std::unique_ptr<GrpcCallHandler>(std::shared_ptr<GrpcCall>)>;

struct GrpcMethod {
  GrpcMethodFactory make;
  ApiGroup group;
};

/// A unary method from a function on the whole message: answer through the call, now or later.
GrpcMethodFactory unary_method(std::function<void(std::shared_ptr<GrpcCall>, Bytes)> function);

/// One ended call, for the access log. Views live for the call of the function that gets it.
struct GrpcCallRecord {
  std::string_view method;      // "/package.Service/Method"
  Code code = Code::kOk;        // CANCELLED when the client went away first
  int64_t microseconds = 0;     // from the call's headers to its end
  std::string_view request_id;  // the client's x-request-id metadata, else empty
  std::string_view trace_id;    // of its traceparent, else empty
  std::string_view peer;
  bool tls = false;
};

/// The gRPC methods of the server, filled before it starts and constant afterwards.
class GrpcMethods {
 public:
  GrpcMethods() = default;
  GrpcMethods(const GrpcMethods&) = delete;
  GrpcMethods& operator=(const GrpcMethods&) = delete;

  /// `path` is "/package.Service/Method". A method that names no group gets the one that is closed first.
  void add(std::string path, GrpcMethodFactory factory, ApiGroup group = ApiGroup::kManagement);
  /// Makes the service visible to reflection.
  void describe(const google::protobuf::ServiceDescriptor* service);

  const GrpcMethod* find(std::string_view path) const;

  /// Called on the loop's thread for each call that has ended; null (the default) costs nothing.
  using CallLog = std::function<void(const GrpcCallRecord&)>;
  void set_call_log(CallLog log) { call_log_ = std::move(log); }
  const CallLog& call_log() const { return call_log_; }

  void set_compression(GrpcCompression compression) { compression_ = compression; }
  GrpcCompression compression() const { return compression_; }
  const std::vector<const google::protobuf::ServiceDescriptor*>& services() const { return services_; }

 private:
  std::map<std::string, GrpcMethod, std::less<>> methods_;
  std::vector<const google::protobuf::ServiceDescriptor*> services_;
  CallLog call_log_;
  GrpcCompression compression_ = GrpcCompression::kMirror;
};

/// Adds grpc.health.v1.Health (Check, Watch): `serving(service)` tells 1 SERVING, 2 NOT_SERVING, 3 SERVICE_UNKNOWN;
/// "" is the whole server. Any thread may be the loop's. What it returns is for telling Watch calls of a change at
/// once.
std::shared_ptr<HealthWatches> add_health_service(GrpcMethods& methods,
                                                  std::function<int(std::string_view service)> serving);
/// Adds grpc.reflection.v1alpha and v1 over the services described so far and later. Calls read `methods`, which must
/// outlive them.
void add_reflection_service(GrpcMethods& methods);

}  // namespace modelmill::wire
