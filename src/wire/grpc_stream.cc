#include "wire/grpc_stream.h"

#include <array>
#include <chrono>
#include <utility>

#include "wire/connection.h"
#include "wire/deflate.h"
#include "wire/grpc_encoding.h"
#include "wire/http2_session.h"
#include "wire/http_text.h"
#include "wire/server_core.h"

namespace modelmill::wire {
namespace {

constexpr std::array<std::string_view, 17> kCodes = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                                     "9", "10", "11", "12", "13", "14", "15", "16"};

/// A client's own clock runs ahead of ours by the way that the call took, so it mostly cancels a moment before our
/// deadline.
constexpr Duration kDeadlineSlack = std::chrono::milliseconds(20);

const nghttp2_nv kStatus200 = static_field(":status", "200");
const nghttp2_nv kContentType = static_field("content-type", "application/grpc");

using Fields = boost::container::small_vector<nghttp2_nv, 8>;

bool is_binary(std::string_view name) { return name.ends_with("-bin"); }

/// Metadata as it goes onto the wire; nothing for a name that is not the caller's to send.
void encode_metadata(std::string_view name, std::string_view value, GrpcMetadata& encoded) {
  if (!reply_header_passes(name)) return;
  encoded.emplace_back(lower_case(name), is_binary(name) ? base64_encode(value) : safe_header_value(value));
}

/// A "-bin" header may carry several values, joined by commas; each is a header of its own.
void add_metadata(GrpcMetadata& metadata, std::string_view name, std::string_view value) {
  if (!is_binary(name)) {
    metadata.emplace_back(name, value);
    return;
  }
  while (true) {
    const size_t comma = value.find(',');
    if (auto decoded = base64_decode(value.substr(0, comma))) metadata.emplace_back(name, std::move(*decoded));
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  }
}

class CallHead final : public GrpcCallHead {
 public:
  explicit CallHead(const Http2Head::Fields& fields) : fields_(fields) {}
  std::string_view header(std::string_view name) const override {
    for (const Http2Head::Field& field : fields_)
      if (field.name.view() == name) return field.value.view();
    return {};
  }

 private:
  const Http2Head::Fields& fields_;
};

}  // namespace

GrpcStream::GrpcStream(Http2Session& session, int32_t id)
    : Http2Stream(session, id),
      loop_(session.connection().loop()),
      peer_(session.connection().shared_peer()),
      tls_(session.connection().is_tls()) {}

GrpcStream::~GrpcStream() {
  if (in_list()) loop_.deadlines().remove(*this);
}

Status GrpcStream::check_head(const Http2Head& head, bool method_known, std::string_view limit_met) {
  const Limits& limits = session()->connection().core().limits;
  if (!limit_met.empty()) return resource_exhausted(limit_message(limits, limit_met));
  const std::string_view subtype = head.content_type.substr(std::string_view("application/grpc").size());
  if (subtype.starts_with('+') && !subtype.starts_with("+proto"))
    return unimplemented("content-type '" + std::string(head.content_type) +
                         "' is not served; use application/grpc or application/grpc+proto");
  if (!method_known) return unimplemented("unknown method '" + *method_ + "'");
  if (!head.grpc_encoding.empty() && !is_known_grpc_encoding(head.grpc_encoding)) {
    bad_encoding_ = true;
    return unimplemented("grpc-encoding '" + std::string(head.grpc_encoding) + "' is not supported; use one of " +
                         std::string(kGrpcAcceptEncoding));
  }
  if (!head.grpc_timeout.empty()) {
    const auto timeout = parse_grpc_timeout(head.grpc_timeout);
    if (!timeout) return invalid_argument("grpc-timeout '" + std::string(head.grpc_timeout) + "' is malformed");
    deadline_ = Clock::now() + *timeout;
  }
  return ok_status();
}

bool GrpcStream::admitted(ApiGroup group) {
  Gatekeeper* gatekeeper = session()->connection().core().gatekeeper.get();
  if (gatekeeper == nullptr) return true;
  CallHead call(fields_);
  call.path = *method_;
  call.group = group;
  call.peer = *peer_;
  call.serves = session()->connection().serves();
  GrpcMetadata trailers;
  const Status status = gatekeeper->admit(call, ticket_, trailers);
  if (!status.ok()) finish(status, trailers);
  return status.ok();
}

void GrpcStream::begin(Http2Head& head, std::shared_ptr<const std::string> path, const GrpcMethod* method,
                       std::string_view limit_met) {
  method_ = std::move(path);
  if (const GrpcMethods::CallLog& log = session()->connection().core().grpc.call_log()) {
    call_log_ = &log;
    begun_ = Clock::now();
  }
  return_identity(head);
  if (head.method != "POST") {
    finished_ = true;
    code_ = Code::kUnimplemented;
    Fields fields = {static_field(":status", "405"), static_field("allow", "POST")};
    add_header_fields(fields);
    return submit_head({fields.data(), fields.size()}, false);
  }
  if (const Status status = check_head(head, method != nullptr, limit_met); !status.ok()) return finish(status, {});
  has_encoding_ = !head.grpc_encoding.empty() && head.grpc_encoding != "identity";
  answer_encoding_ = choose_grpc_encoding(session()->connection().core().grpc.compression(), head.grpc_encoding,
                                          head.grpc_accept_encoding);
  if (!answer_encoding_.empty()) add_header("grpc-encoding", std::string(answer_encoding_));
  fields_ = std::move(head.others);
  head.others.clear();
  if (!admitted(method->group)) return;
  if (deadline_ != kNever) loop_.deadlines().add(*this, deadline_);
  handler_ = method->make(std::static_pointer_cast<GrpcStream>(shared_self()));
}

/// What the caller calls the call goes back with its answer, whatever that is.
void GrpcStream::return_identity(const Http2Head& head) {
  asks_timing_ = head.server_timing == "1";
  if (!head.request_id.empty()) add_header("x-request-id", std::string(head.request_id));
  if (head.traceparent.empty()) return;
  const auto trace = parse_traceparent(head.traceparent);
  if (!trace) return;
  trace_ = std::make_unique<TraceContext>(*trace);
  add_header("traceparent", std::string(head.traceparent));
}

const GrpcMetadata& GrpcStream::metadata() const {
  if (!metadata_) {
    metadata_.emplace();
    metadata_->reserve(fields_.size());
    for (const Http2Head::Field& field : fields_) {
      const std::string_view name = field.name.view();
      if (name == "grpc-accept-encoding" || name == "accept-encoding" || name == "grpc-message-type") continue;
      add_metadata(*metadata_, name, field.value.view());
    }
    fields_.clear();
  }
  return *metadata_;
}

void GrpcStream::on_stalled() {
  session()->connection().core().count_refused("stall");
  end_early(deadline_exceeded(limit_message(session()->connection().core().limits, "stall")));
}

/// Of a call that was not finished.
Status GrpcStream::why_closed(uint32_t error_code) const {
  if (error_code != NGHTTP2_CANCEL && error_code != NGHTTP2_NO_ERROR)
    return cancelled(std::string("the call's stream was reset: ") + nghttp2_http2_strerror(error_code));
  if (deadline_ != kNever && deadline_ - Clock::now() < kDeadlineSlack)
    return deadline_exceeded("the client has cancelled the call at its deadline");
  return cancelled("the client has cancelled the call or gone away");
}

void GrpcStream::on_closed(uint32_t error_code, const std::shared_ptr<Http2Stream>& self) {
  loop_.deadlines().remove(*this);
  const bool told = std::exchange(finished_, true);
  if (handler_ && !told) handler_->on_cancel(why_closed(error_code));
  handler_.reset();
  if (told && !cut_short_) ticket_.reset();
  if (call_log_ != nullptr) log_call(told);
  // Others may hold the call longer and on other threads; nghttp2's strings may not go along.
  if (self.use_count() > 1) metadata();
  fields_.clear();
}

void GrpcStream::log_call(bool told) {
  std::string_view request_id, trace_id;
  if (headers_) {
    for (const auto& [name, value] : *headers_) {
      if (name == "x-request-id") request_id = value;
      if (name == "traceparent" && trace_) trace_id = trace_id_in(value);
    }
  }
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun_);
  (*call_log_)({*method_, told ? code_ : Code::kCancelled, took.count(), request_id, trace_id, *peer_, tls_});
}

void GrpcStream::on_deadline() {
  if (ended()) return;
  cut_short_ = true;
  const Status status = deadline_exceeded("the call's deadline has passed");
  if (head_sent() && out().in_piece()) {
    finished_ = true;
    code_ = status.code();
    reset(NGHTTP2_CANCEL);  // trailers can't follow half a message
  } else {
    drop_out();
    finish(status, {});
  }
  if (handler_) handler_->on_cancel(status);
}

void GrpcStream::end_early(const Status& status) {
  if (ended()) return;
  cut_short_ = true;
  finish(status, {});
  if (handler_) handler_->on_cancel(status);
}

void GrpcStream::add_header(std::string name, std::string value) {
  if (ended() || head_sent()) return;
  if (!headers_) headers_ = std::make_unique<GrpcMetadata>();
  encode_metadata(name, value, *headers_);
}

template <typename Fields>
void GrpcStream::add_header_fields(Fields& fields) const {
  if (!headers_) return;
  for (const auto& [name, value] : *headers_) fields.push_back(static_field(name, value));
}

void GrpcStream::submit_response_head() {
  if (!headers_) {
    const std::array<nghttp2_nv, 2> fields = {kStatus200, kContentType};
    return submit_head(fields, true);
  }
  Fields fields = {kStatus200, kContentType};
  add_header_fields(fields);
  submit_head({fields.data(), fields.size()}, true);
}

void GrpcStream::pack(PackedMessage& message) const {
  if (answer_encoding_.empty()) return;
  size_t size = 0;
  for (const Bytes& bytes : message.bytes) size += bytes.size();
  if (size < kLeastDeflated) return;
  const DeflateFormat format = answer_encoding_ == "gzip" ? DeflateFormat::kGzip : DeflateFormat::kZlib;
  auto deflated = deflate_chunks(message.bytes, format);
  if (!deflated) return;
  message.compressed = true;
  message.bytes.clear();
  message.bytes.push_back(*std::move(deflated));
}

void GrpcStream::send(Chunks message) {
  PackedMessage packed{std::move(message)};
  pack(packed);
  send_packed(std::move(packed));
}

void GrpcStream::reply(Chunks message) {
  PackedMessage packed{std::move(message)};
  pack(packed);
  reply_packed(std::move(packed));
}

void GrpcStream::send_packed(PackedMessage&& message) {
  if (ended()) return;
  add_out_message(std::move(message.bytes), message.compressed);
  if (head_sent())
    wake();
  else
    submit_response_head();
}

void GrpcStream::reply_packed(PackedMessage&& message) {
  if (ended()) return;
  finished_ = true;
  loop_.deadlines().remove(*this);
  add_out_message(std::move(message.bytes), message.compressed);
  end_out();
  if (head_sent())
    wake();
  else
    submit_response_head();
}

void GrpcStream::set_status(const Status& status, const GrpcMetadata& trailers) {
  code_ = status.code();
  if (status.message().empty() && trailers.empty()) return;
  details_ = std::make_unique<Details>();
  details_->message = percent_encode(status.message());
  for (const auto& [name, value] : trailers) encode_metadata(name, value, details_->trailers);
}

template <typename Fields>
void GrpcStream::add_status_fields(Fields& fields) const {
  fields.push_back(static_field("grpc-status", kCodes[static_cast<size_t>(code_)]));
  if (!details_) return;
  if (!details_->message.empty()) fields.push_back(static_field("grpc-message", details_->message));
  for (const auto& [name, value] : details_->trailers) fields.push_back(static_field(name, value));
}

void GrpcStream::finish(const Status& status, const GrpcMetadata& trailers) {
  if (ended()) return;
  finished_ = true;
  loop_.deadlines().remove(*this);
  set_status(status, trailers);
  if (head_sent()) {
    end_out();
    wake();
    return;
  }
  Fields fields = {kStatus200, kContentType};
  add_header_fields(fields);
  add_status_fields(fields);
  if (bad_encoding_) fields.push_back(static_field("grpc-accept-encoding", kGrpcAcceptEncoding));
  submit_head({fields.data(), fields.size()}, false);
}

bool GrpcStream::submit_trailers() {
  Fields fields;
  add_status_fields(fields);
  nghttp2_submit_trailer(session()->nghttp2(), id(), fields.data(), fields.size());
  return true;
}

}  // namespace modelmill::wire
