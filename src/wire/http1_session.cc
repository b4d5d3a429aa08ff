#include "wire/http1_session.h"

#include <algorithm>
#include <new>
#include <utility>

#include "wire/connection.h"
#include "wire/http1_exchange.h"
#include "wire/http_text.h"
#include "wire/request_identity.h"

namespace modelmill::wire {
namespace {

/// Requests of one connection that may be in work together, and bytes of their bodies beyond which no further is begun.
constexpr size_t kPipelined = 32;
constexpr size_t kPipelinedBytes = size_t{64} << 20;
/// Bodies from here on are read straight to where they stay.
constexpr size_t kDirectRead = 4 * 1024;

}  // namespace

std::unique_ptr<Session> make_http1_session(Connection& connection) {
  return std::make_unique<Http1Session>(connection);
}

Http1Session::Http1Session(Connection& connection)
    : connection_(connection),
      parser_({connection.core().limits.header_bytes, connection.core().limits.header_count,
               connection.core().limits.http_body, connection.core().keep_header_names}) {}

Http1Session::~Http1Session() {
  if (incoming_) incoming_->detach();
  for (const auto& exchange : exchanges_) exchange->detach();
}

/// While nothing is kept unparsed there is a read under way even if no further request may begin: only a read tells
/// that the peer has gone, and that its requests need not be run.
bool Http1Session::wants_to_read() const {
  return closing_ || stage_ != Stage::kHead || incoming_ || unparsed_.empty() || may_begin_request();
}

bool Http1Session::may_begin_request() const {
  return exchanges_.size() < kPipelined && bytes_in_work_ < kPipelinedBytes && connection_.out().size() < kOutHighWater;
}

void Http1Session::receive(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  received_ += bytes.size();
  if (unparsed_.empty()) {
    const size_t used = parse(text);
    if (!closing_) unparsed_ = text.substr(used);
    return;
  }
  unparsed_.append(text);
  // A head ends at the end of a line: without one there is nothing new to find, however many pieces it comes in.
  if (incoming_ && stage_ == Stage::kHead && text.find('\n') == std::string_view::npos &&
      unparsed_.size() <= connection_.core().limits.header_bytes)
    return;
  unstall();
}

/// Parses what was kept.
void Http1Session::unstall() {
  const std::string kept = std::move(unparsed_);
  unparsed_.clear();
  const size_t used = parse(kept);
  if (!closing_) unparsed_ = kept.substr(used);
}

/// Returns how many bytes are done with.
size_t Http1Session::parse(std::string_view bytes) {
  in_parse_ = true;
  size_t used = 0;
  try {
    parse_all(bytes, used);
  } catch (const std::bad_alloc&) {
    if (incoming_) fail(507, "no memory for the request");
    closing_ = true;
  }
  in_parse_ = false;
  return used;
}

void Http1Session::parse_all(std::string_view bytes, size_t& used) {
  while (!closing_ && used < bytes.size()) {
    const std::string_view rest = bytes.substr(used);
    if (stage_ == Stage::kUnwantedBody) {
      const size_t n = std::min(rest.size(), body_left_);
      used += n;
      body_left_ -= n;
      if (body_left_ == 0) stage_ = Stage::kHead;
      continue;
    }
    if (stage_ == Stage::kFixedBody) {
      const size_t n = std::min(rest.size(), body_left_);
      body_.append(std::as_bytes(std::span(rest.substr(0, n))));
      used += n;
      body_left_ -= n;
      if (body_left_ == 0) request_complete();
      continue;
    }
    if (stage_ == Stage::kHead && !incoming_) {
      if (!may_begin_request()) break;
      if (rest.front() == '\r' || rest.front() == '\n') {  // blank lines before a request are tolerated
        ++used;
        continue;
      }
      incoming_ = std::make_shared<Http1Exchange>(*this, connection_.loop());
      incoming_->request().peer = connection_.peer();
      incoming_->request().tls = connection_.is_tls();
      incoming_->request().serves = connection_.serves();
      ++requests_;
    }
    const Http1Parser::Outcome outcome =
        stage_ == Stage::kHead ? parser_.parse_head(rest, incoming_->request()) : parser_.parse_chunks(rest, body_);
    used += outcome.used;
    if (outcome.error_status != 0) {
      if (outcome.other_protocol) {
        end_without_answer();
        break;
      }
      if (!outcome.limit.empty()) connection_.core().count_refused(outcome.limit);
      fail(outcome.error_status, outcome.error);
      break;
    }
    if (!outcome.done) break;
    if (stage_ == Stage::kChunkedBody)
      request_complete();
    else if (!begin_body())
      break;
  }
}

/// The head is complete. False if the connection can't go on.
bool Http1Session::begin_body() {
  HttpRequest& request = incoming_->request();
  return_identity(request);
  incoming_->traits = {parser_.keep_alive(), parser_.http_1_0(), request.method == "HEAD"};
  const Limits& limits = connection_.core().limits;
  if (is_grpc_content_type(request.header("content-type"))) {
    fail(505, "gRPC needs HTTP/2: connect with HTTP/2 (prior knowledge) instead of HTTP/1.1");
    return false;
  }
  if (Gatekeeper* gatekeeper = connection_.core().gatekeeper.get())
    if (auto refusal = gatekeeper->admit(request, incoming_->ticket)) return refuse(std::move(*refusal));
  const uint64_t length = parser_.content_length();
  if (!parser_.chunked() && length > limits.http_body) {
    connection_.core().count_refused("body");
    fail(413, "the request's body of " + std::to_string(length) + " bytes is larger than the limit of " +
                  std::to_string(limits.http_body) + " bytes (--max-body-bytes)");
    return false;
  }
  if (parser_.chunked() || length > 0) {
    if (parser_.expects_continue()) {
      continue_due_ = true;
      connection_.want_flush();
    }
    stage_ = parser_.chunked() ? Stage::kChunkedBody : Stage::kFixedBody;
    body_left_ = length;
    body_.align_at(bytes_before_tensors(request));
    if (!parser_.chunked()) body_.expect(length);
    return true;
  }
  request_complete();
  return true;
}

/// The gatekeeper's reply is the request's. False if the connection ends with it, because of a body that is too large
/// to pass over, or that may or may not come.
bool Http1Session::refuse(HttpReply reply) {
  const uint64_t length = parser_.content_length();
  const bool may_stay = length == 0 || (length <= kPassedOver && !parser_.expects_continue());
  const std::shared_ptr<Http1Exchange> exchange = incoming_;
  if (parser_.chunked() || !may_stay) exchange->traits.keep_alive = false;
  add_exchange();
  parser_.reset();
  if (!exchange->traits.keep_alive || draining_) {
    closing_ = true;
  } else if (length > 0) {
    stage_ = Stage::kUnwantedBody;
    body_left_ = length;
  }
  exchange->reply(std::move(reply));
  return !closing_;
}

std::span<std::byte> Http1Session::read_target() {
  if (stage_ != Stage::kFixedBody || body_left_ < kDirectRead) return {};
  try {
    const std::span<std::byte> room = body_.room();
    return room.first(std::min(room.size(), body_left_));
  } catch (const std::bad_alloc&) {
    fail(507, "no memory for the request's body");
    return {};
  }
}

void Http1Session::received_into_target(size_t n) {
  if (stage_ != Stage::kFixedBody) return;  // it has timed out meanwhile
  received_ += n;
  body_.commit(n);
  body_left_ -= n;
  if (body_left_ == 0) request_complete();
}

void Http1Session::add_exchange() {
  incoming_->body_size = body_.size();
  bytes_in_work_ += incoming_->body_size;
  exchanges_.push_back(std::move(incoming_));
  connection_.counters().begin_request(Protocol::kHttp1);
  incoming_ = nullptr;
  stage_ = Stage::kHead;
  continue_due_ = false;
}

void Http1Session::request_complete() {
  incoming_->request().body = Bytes();
  const std::shared_ptr<Http1Exchange> exchange = incoming_;
  add_exchange();
  exchange->request().body = body_.take();
  parser_.reset();
  if (!exchange->traits.keep_alive || draining_) closing_ = true;
  connection_.core().http(exchange);
}

/// Replies with an error, after the replies that are due before it; then the connection ends.
void Http1Session::fail(int status, std::string_view message) {
  const std::shared_ptr<Http1Exchange> exchange = incoming_;
  exchange->traits.keep_alive = false;
  body_.take();
  add_exchange();
  closing_ = true;
  exchange->reply(connection_.core().refusal(exchange->request(), status, message));
}

void Http1Session::end_without_answer() {
  drain();
  connection_.want_flush();
}

void Http1Session::front_done(bool close) {
  const std::shared_ptr<Http1Exchange> done = std::move(exchanges_.front());
  bytes_in_work_ -= done->body_size;
  exchanges_.pop_front();
  connection_.counters().end_requests(Protocol::kHttp1);
  connection_.want_flush();
  if (close) {
    closing_ = true;
    connection_.counters().end_requests(Protocol::kHttp1, exchanges_.size());
    for (const auto& exchange : exchanges_) exchange->abandon();
    exchanges_.clear();
    return;
  }
  if (exchanges_.empty()) return;
  const std::shared_ptr<Http1Exchange> next = exchanges_.front();
  next->in_turn();
}

bool Http1Session::closes_after(const Http1Exchange& exchange) const {
  if (exchanges_.back().get() != &exchange) return false;
  return closing_ || (connection_.core().asks_to_leave() && !incoming_ && unparsed_.empty());
}

void Http1Session::produce(OutQueue& out) {
  if (continue_due_ && exchanges_.empty() && !closing_) {
    out.append_copy("HTTP/1.1 100 Continue\r\n\r\n");
    continue_due_ = false;
  }
  // Replies have made room for requests that wait; their own replies may leave with these.
  if (!closing_ && !in_parse_ && stage_ == Stage::kHead && !incoming_ && may_begin_request()) {
    if (!unparsed_.empty()) unstall();
    connection_.resume_reading();
  }
}

void Http1Session::look(TimePoint now) {
  if (closing_) return;
  const Limits& limits = connection_.core().limits;
  const bool in_body = stage_ != Stage::kHead;  // also of a request that has been refused
  if (body_progress_.stalled(now, in_body && !continue_due_, received_, limits.stall_timeout, least_bytes(limits)))
    return time_out("stall");
  if (in_body) return still_.reset();
  // A connection's first head is timed from the connection's beginning, blank lines included.
  if (incoming_ || requests_ == 0) {
    if (still_.lasts(now, 2 * requests_ + 1, limits.header_timeout)) time_out("header timeout");
    return;
  }
  if (!exchanges_.empty() || !connection_.out().empty()) return still_.reset();
  if (!still_.lasts(now, 2 * requests_, limits.idle_timeout)) return;
  connection_.core().count_refused("idle");
  close_idle();
}

void Http1Session::time_out(std::string_view limit) {
  connection_.core().count_refused(limit);
  if (!incoming_) return close_idle();
  timed_out_ = std::exchange(body_, {});
  fail(408, limit_message(connection_.core().limits, limit));
}

void Http1Session::close_idle() {
  closing_ = true;
  idle_close_ = true;
  connection_.want_flush();
}

/// A request is in flight once its head is complete; one that has only begun to arrive is not waited for.
void Http1Session::drain() {
  draining_ = true;
  if (closing_ || (incoming_ && stage_ != Stage::kHead)) return;
  if (incoming_) incoming_->detach();
  incoming_ = nullptr;
  closing_ = true;
  idle_close_ = exchanges_.empty() && connection_.out().empty() && stage_ == Stage::kHead;
  unparsed_.clear();
}

void Http1Session::peer_gone() {
  closing_ = true;
  unparsed_.clear();
  if (incoming_) incoming_->detach();
  incoming_ = nullptr;
  const auto abandoned = std::move(exchanges_);
  exchanges_.clear();
  connection_.counters().end_requests(Protocol::kHttp1, abandoned.size());
  for (const auto& exchange : abandoned) exchange->abandon();
}

}  // namespace modelmill::wire
