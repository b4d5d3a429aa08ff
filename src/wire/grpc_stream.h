#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "wire/body_buffer.h"
#include "wire/deadline_list.h"
#include "wire/gatekeeper.h"
#include "wire/grpc.h"
#include "wire/grpc_deframer.h"
#include "wire/http2_head.h"
#include "wire/http2_stream.h"

namespace modelmill::wire {

/// One gRPC call over HTTP/2: framing, compression of requests, deadline, status and trailers.
class GrpcStream final : public Http2Stream, public GrpcCall, private DeadlineEntry, private GrpcDeframer::Sink {
 public:
  GrpcStream(Http2Session& session, int32_t id);
  ~GrpcStream() override;

  /// The request's headers are complete; `method` is null when there is no such method; `limit_met` names the limit
  /// that refuses the call, if any.
  void begin(Http2Head& head, std::shared_ptr<const std::string> path, const GrpcMethod* method,
             std::string_view limit_met);

  std::string_view method() const override { return *method_; }
  const GrpcMetadata& metadata() const override;
  TimePoint deadline() const override { return deadline_; }
  TraceContext trace() const override { return trace_ ? *trace_ : TraceContext{}; }
  bool asks_timing() const override { return asks_timing_; }
  Loop& loop() override { return loop_; }
  const std::string& peer() const override { return *peer_; }
  void add_header(std::string name, std::string value) override;
  void send(Chunks message) override;
  void finish(const Status& status, const GrpcMetadata& trailers) override;
  void reply(Chunks message) override;
  void pack(PackedMessage& message) const override;
  void send_packed(PackedMessage&& message) override;
  void reply_packed(PackedMessage&& message) override;
  size_t unsent_bytes() const override { return out().size(); }
  void pause_reading(bool paused) override { pause(paused); }

  Protocol protocol() const override { return Protocol::kGrpc; }
  void on_data(std::span<const std::byte> bytes) override;
  void on_end() override;
  bool awaits_body() const override { return !finished_ && !held_back_ && deframer_.inside_message(); }
  void on_stalled() override;
  void on_closed(uint32_t error_code, const std::shared_ptr<Http2Stream>& self) override;

 private:
  void on_deadline() override;
  bool on_frame_begin(bool compressed, uint32_t length) override;
  bool on_frame_bytes(std::span<const std::byte> bytes) override;
  bool on_frame_end() override;
  bool inflate(const Bytes& message);
  bool take_inflated(Result<Bytes> message);
  void inflated_elsewhere(Result<Bytes> message);
  bool submit_trailers() override;

  bool ended() const { return finished_ || session() == nullptr; }
  void return_identity(const Http2Head& head);
  Status why_closed(uint32_t error_code) const;
  Status check_head(const Http2Head& head, bool method_known, std::string_view limit_met);
  /// Asks the gatekeeper. False: it has refused the call, which is finished.
  bool admitted(ApiGroup group);
  void submit_response_head();
  /// The wire ends the call: the client gets the status, and the handler is told.
  void end_early(const Status& status);
  void set_status(const Status& status, const GrpcMetadata& trailers);
  void log_call(bool told);
  template <typename Fields>
  void add_header_fields(Fields& fields) const;
  template <typename Fields>
  void add_status_fields(Fields& fields) const;

  Loop& loop_;
  std::shared_ptr<const std::string> peer_;
  const bool tls_;
  std::shared_ptr<const std::string> method_;
  mutable Http2Head::Fields fields_;  // until metadata() is asked for
  mutable std::optional<GrpcMetadata> metadata_;
  TimePoint deadline_ = kNever;
  const GrpcMethods::CallLog* call_log_ = nullptr;  // null: nobody asked
  TimePoint begun_{};                               // for the call log
  std::unique_ptr<Ticket> ticket_;
  std::unique_ptr<GrpcCallHandler> handler_;
  GrpcDeframer deframer_;
  std::unique_ptr<BodyBuffer> compressed_;  // the message that is arriving compressed
  /// What comes of the call while a message is inflated elsewhere, as it came.
  struct HeldBack {
    std::vector<std::byte> bytes;
    bool ended = false;

    void add(std::span<const std::byte> more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
  };
  std::unique_ptr<HeldBack> held_back_;  // there while a message is inflated on another thread
  std::unique_ptr<TraceContext> trace_;
  bool asks_timing_ = false;
  std::string_view answer_encoding_;  // empty: none; constant once the handler is there
  bool has_encoding_ = false;
  bool bad_encoding_ = false;  // the reply says which there are
  bool finished_ = false;      // the handler, or the wire for it, has ended the call
  bool cut_short_ = false;     // it was the wire, and the handler may still be at work
  Code code_ = Code::kOk;      // what the client was told
  struct Details {
    std::string message;    // percent-encoded
    GrpcMetadata trailers;  // "-bin" values encoded
  };
  std::unique_ptr<GrpcMetadata> headers_;  // of the answer, where there are any; "-bin" values encoded
  std::unique_ptr<Details> details_;       // of the status, where there are any
};

}  // namespace modelmill::wire
