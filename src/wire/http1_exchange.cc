#include "wire/http1_exchange.h"

#include <array>
#include <charconv>

#include "wire/connection.h"
#include "wire/http1_session.h"
#include "wire/http_text.h"

namespace modelmill::wire {
namespace {

size_t total_size(const Chunks& chunks) {
  size_t total = 0;
  for (const Bytes& bytes : chunks) total += bytes.size();
  return total;
}

void put_headers(OutQueue& out, const std::vector<std::pair<std::string, std::string>>& headers) {
  for (const auto& [name, value] : headers) {
    if (!reply_header_passes(name)) continue;
    out.append_copy("\r\n");
    out.append_copy(name);
    out.append_copy(": ");
    const bool unsafe = value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
    out.append_copy(unsafe ? safe_header_value(value) : value);
  }
}

std::string_view number_text(std::array<char, 24>& buffer, size_t value, int base) {
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, base).ptr;
  return {buffer.data(), static_cast<size_t>(end - buffer.data())};
}

}  // namespace

void Http1Exchange::reply(HttpReply reply) {
  if (session_ == nullptr || state_ != State::kOpen) return;
  state_ = State::kDone;
  if (!session_->is_next(*this)) {
    kept_ = std::move(reply);
    return;
  }
  put_head(reply, false);
  done();
}

void Http1Exchange::begin(HttpReply head) {
  if (session_ == nullptr || state_ != State::kOpen) return;
  state_ = State::kStreaming;
  if (session_->is_next(*this)) {
    put_head(head, true);
    session_->connection().want_flush();
  } else {
    kept_ = std::move(head);
  }
}

void Http1Exchange::write(Chunks piece) {
  if (session_ == nullptr || state_ != State::kStreaming) return;
  if (head_out_) {
    put_piece(piece);
    session_->connection().want_flush();
  } else {
    for (Bytes& bytes : piece) kept_piece_.push_back(std::move(bytes));
  }
}

void Http1Exchange::end() {
  if (session_ == nullptr || state_ != State::kStreaming) return;
  state_ = State::kDone;
  if (!head_out_) return;
  put_end();
  done();
}

size_t Http1Exchange::unsent_bytes() const {
  if (session_ == nullptr) return 0;
  return session_->connection().out().size() + total_size(kept_piece_);
}

void Http1Exchange::in_turn() {
  if (state_ == State::kOpen) return;
  // A whole reply was kept with its body in it; one that was begun has its pieces beside it, and is streamed on.
  const bool streamed = state_ == State::kStreaming || !kept_piece_.empty();
  put_head(kept_, streamed);
  kept_ = {};
  if (!kept_piece_.empty()) put_piece(kept_piece_);
  kept_piece_.clear();
  if (state_ != State::kDone) return;
  if (streamed) put_end();
  done();
}

void Http1Exchange::abandon() {
  session_ = nullptr;
  if (state_ == State::kDone) return;
  state_ = State::kDone;
  if (auto callback = std::exchange(abandoned_, nullptr)) callback();
}

void Http1Exchange::put_head(const HttpReply& reply, bool streamed) {
  OutQueue& out = session_->connection().out();
  std::array<char, 24> number;
  head_out_ = true;
  const bool has_body = status_has_body(reply.status);
  bodiless_ = !has_body || traits.head;
  chunked_ = streamed && !bodiless_ && !traits.http_1_0;
  const bool until_close = streamed && has_body && traits.http_1_0;
  close_after_ = !traits.keep_alive || until_close || session_->closes_after(*this);

  out.append_copy("HTTP/1.1 ");
  out.append_copy(number_text(number, static_cast<size_t>(reply.status), 10));
  out.append_copy(" ");
  out.append_copy(reason_phrase(reply.status));
  out.append_copy("\r\ndate: ");
  out.append_copy(http_date());
  put_headers(out, reply.headers);
  put_headers(out, request_.reply_headers);
  if (close_after_)
    out.append_copy("\r\nconnection: close");
  else if (traits.http_1_0)
    out.append_copy("\r\nconnection: keep-alive");
  if (streamed) {
    if (has_body && !traits.http_1_0) out.append_copy("\r\ntransfer-encoding: chunked");
  } else if (has_body) {
    out.append_copy("\r\ncontent-length: ");
    out.append_copy(number_text(number, total_size(reply.body), 10));
  }
  out.append_copy("\r\n\r\n");
  if (bodiless_) return;
  if (streamed)
    put_piece(reply.body);
  else
    out.append(reply.body);
}

void Http1Exchange::put_piece(const Chunks& piece) {
  const size_t size = total_size(piece);
  if (size == 0 || bodiless_) return;
  OutQueue& out = session_->connection().out();
  if (!chunked_) return out.append(piece);
  std::array<char, 24> number;
  out.append_copy(number_text(number, size, 16));
  out.append_copy("\r\n");
  out.append(piece);
  out.append_copy("\r\n");
}

void Http1Exchange::put_end() {
  if (chunked_) session_->connection().out().append_copy("0\r\n\r\n");
}

void Http1Exchange::done() {
  abandoned_ = nullptr;
  ticket.reset();
  std::exchange(session_, nullptr)->front_done(close_after_);
}

}  // namespace modelmill::wire
