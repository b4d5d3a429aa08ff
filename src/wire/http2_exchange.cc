#include "wire/http2_exchange.h"

#include <charconv>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "wire/connection.h"
#include "wire/http2_session.h"
#include "wire/http_text.h"
#include "wire/request_identity.h"
#include "wire/server_core.h"

namespace modelmill::wire {

Http2Exchange::Http2Exchange(Http2Session& session, int32_t id)
    : Http2Stream(session, id), loop_(session.connection().loop()) {}

void Http2Exchange::begin(const Http2Head& head, std::string_view limit_met) {
  const Limits& limits = session()->connection().core().limits;
  request_.http2 = true;
  request_.peer = session()->connection().peer();
  request_.tls = session()->connection().is_tls();
  request_.serves = session()->connection().serves();
  request_.method = head.method;
  split_target(head.path, request_);
  return_identity(request_, head.request_id, head.traceparent);
  std::from_chars(head.content_length.data(), head.content_length.data() + head.content_length.size(), announced_);
  if (!limit_met.empty()) return refuse(limit_met == "unsent" ? 503 : 431, limit_message(limits, limit_met));
  if (!head.authority.empty()) request_.headers.emplace_back("host", head.authority);
  if (!head.content_type.empty()) request_.headers.emplace_back("content-type", head.content_type);
  if (!head.content_length.empty()) request_.headers.emplace_back("content-length", head.content_length);
  for (const Http2Head::Field& field : head.others)
    request_.headers.emplace_back(field.name.view(), field.value.view());
  if (Gatekeeper* gatekeeper = session()->connection().core().gatekeeper.get())
    if (auto refusal = gatekeeper->admit(request_, ticket_)) return reply(std::move(*refusal));
  if (announced_ > limits.http_body)
    return refuse(413, "the request's body of " + std::to_string(announced_) + " bytes is larger than the limit of " +
                           std::to_string(limits.http_body) + " bytes (--max-body-bytes)");
  body_.expect(announced_);
  body_.align_at(bytes_before_tensors(request_));
  if (equals_ignoring_case(head.expect, "100-continue")) {
    const nghttp2_nv interim = static_field(":status", "100");
    nghttp2_submit_headers(session()->nghttp2(), NGHTTP2_FLAG_NONE, id(), nullptr, &interim, 1, nullptr);
    session()->connection().want_flush();
  }
}

bool Http2Exchange::lets_body_run_out() const {
  return announced_ >= received_bytes() && announced_ > 0 && announced_ - received_bytes() <= kPassedOver;
}

void Http2Exchange::on_stalled() {
  if (state_ == State::kDone) return reset(NGHTTP2_NO_ERROR);  // it has its reply
  session()->connection().core().count_refused("stall");
  refuse(408, limit_message(session()->connection().core().limits, "stall"));
}

void Http2Exchange::refuse(int status, const std::string& message) {
  if (status == 413) session()->connection().core().count_refused("body");
  HttpReply refusal = session()->connection().core().refusal(request_, status, message);
  if (status == 503) refusal.headers.emplace_back("retry-after", "1");
  reply(std::move(refusal));
}

void Http2Exchange::on_data(std::span<const std::byte> bytes) {
  if (state_ != State::kReceiving) return;
  const uint64_t limit = session()->connection().core().limits.http_body;
  if (bytes.size() > limit - body_.size())
    return refuse(
        413, "the request's body is larger than the limit of " + std::to_string(limit) + " bytes (--max-body-bytes)");
  try {
    body_.append(bytes);
  } catch (const std::bad_alloc&) {
    refuse(507, "no memory for the request's body");
  }
}

void Http2Exchange::on_end() {
  if (state_ != State::kReceiving) return;
  state_ = State::kOpen;
  request_.body = body_.take();
  session()->connection().core().http(
      std::shared_ptr<HttpExchange>(std::static_pointer_cast<Http2Exchange>(shared_self())));
}

void Http2Exchange::on_closed(uint32_t, const std::shared_ptr<Http2Stream>&) {
  body_.take();
  const bool was_in_work = state_ == State::kOpen || state_ == State::kStreaming;
  state_ = State::kDone;
  if (!was_in_work) ticket_.reset();
  auto callback = std::exchange(abandoned_, nullptr);
  if (was_in_work && callback) callback();
}

void Http2Exchange::submit(const HttpReply& reply, bool more, bool with_length) {
  std::vector<nghttp2_nv> fields;
  std::vector<std::string> texts;
  const size_t headers = reply.headers.size() + request_.reply_headers.size();
  texts.reserve(2 + 2 * headers);
  fields.reserve(3 + headers);
  fields.push_back(copied_field(":status", texts.emplace_back(std::to_string(reply.status))));
  fields.push_back(copied_field("date", http_date()));
  for (const auto* from : {&reply.headers, &std::as_const(request_).reply_headers}) {
    for (const auto& [name, value] : *from) {
      if (!reply_header_passes(name)) continue;
      const std::string& lower = texts.emplace_back(lower_case(name));
      fields.push_back(copied_field(lower, texts.emplace_back(safe_header_value(value))));
    }
  }
  size_t length = 0;
  for (const Bytes& bytes : reply.body) length += bytes.size();
  std::string length_text;
  if (with_length && status_has_body(reply.status)) {
    length_text = std::to_string(length);
    fields.push_back(copied_field("content-length", length_text));
  }
  submit_head(fields, more);
}

void Http2Exchange::reply(HttpReply reply) {
  if (!takes_reply()) return;
  state_ = State::kDone;
  abandoned_ = nullptr;
  const bool with_body = status_has_body(reply.status) && request_.method != "HEAD" && !reply.body.empty();
  submit(reply, with_body, true);
  if (!with_body) return;
  add_out(std::move(reply.body));
  end_out();
}

void Http2Exchange::begin(HttpReply head) {
  if (!takes_reply()) return;
  state_ = State::kStreaming;
  bodiless_ = request_.method == "HEAD" || !status_has_body(head.status);
  submit(head, true, false);
  if (!bodiless_) add_out(std::move(head.body));
}

void Http2Exchange::write(Chunks piece) {
  if (session() == nullptr || state_ != State::kStreaming || bodiless_) return;
  add_out(std::move(piece));
  wake();
}

void Http2Exchange::end() {
  if (session() == nullptr || state_ != State::kStreaming) return;
  state_ = State::kDone;
  abandoned_ = nullptr;
  end_out();
  wake();
}

}  // namespace modelmill::wire
