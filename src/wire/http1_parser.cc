#include "wire/http1_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "wire/http_text.h"

namespace modelmill::wire {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

std::string_view view(BeastView text) { return {text.data(), text.size()}; }

/// "DESCRIBE rtsp://host RTSP/1.0", say.
bool names_other_protocol(std::string_view head) {
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  const size_t target = line.find(' ');
  const size_t protocol = line.rfind(' ');
  return protocol != target && !line.substr(protocol + 1).starts_with("HTTP/");
}

class Parser final : public http::basic_parser<true> {
 public:
  HttpRequest* request = nullptr;
  BodyBuffer* body = nullptr;
  uint64_t body_limit_bytes = 0;
  size_t header_limit_count = 0;
  bool keeps_names = false;
  int version = 11;
  int hosts = 0;
  bool expects_continue = false;
  bool body_too_large = false;
  bool too_many_headers = false;

 private:
  void on_request_impl(http::verb, BeastView method, BeastView target, int v, error_code&) override {
    request->method = view(method);
    split_target(view(target), *request);
    version = v;
  }
  void on_response_impl(int, BeastView, int, error_code&) override {}
  void on_field_impl(http::field field, BeastView name, BeastView value, error_code& error) override {
    if (body != nullptr) return;  // trailers of a chunked body
    if (request->headers.size() == header_limit_count) {
      too_many_headers = true;
      error = http::error::header_limit;
      return;
    }
    if (field == http::field::host) ++hosts;
    if (field == http::field::expect && equals_ignoring_case(view(value), "100-continue")) expects_continue = true;
    request->headers.emplace_back(lower_case(view(name)), view(value));
    if (keeps_names) request->sent_names.emplace_back(view(name));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastView bytes, error_code&) override { return bytes.size(); }
  void on_chunk_header_impl(std::uint64_t size, BeastView, error_code& error) override {
    const uint64_t so_far = body == nullptr ? 0 : body->size();
    if (size <= body_limit_bytes && so_far <= body_limit_bytes - size) return;
    body_too_large = true;
    error = http::error::body_limit;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView bytes, error_code&) override {
    body->append(std::as_bytes(std::span(bytes.data(), bytes.size())));
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}
};

}  // namespace

struct Http1Parser::Rep {
  Bounds bounds;
  std::optional<Parser> parser;
  size_t head_size = 0;  // of this request so far

  Outcome fail(const error_code& error, size_t used) const {
    if (parser->body_too_large)
      return {used, false, 413, "body",
              "the request's body is larger than the limit of " + std::to_string(bounds.body_bytes) +
                  " bytes (--max-body-bytes)"};
    if (parser->too_many_headers)
      return {
          used, false, 431, "headers",
          "the request has more than the limit of " + std::to_string(bounds.header_count) + " headers (--max-headers)"};
    if (error == http::error::header_limit || error == http::error::buffer_overflow) return head_too_large(used);
    if (error == http::error::bad_version)
      return {used, false, 505, {}, "only HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here"};
    return {used, false, 400, {}, "malformed HTTP request: " + error.message()};
  }
  Outcome head_too_large(size_t used) const {
    return {used, false, 431, "header",
            "the request line and headers are larger than the limit of " + std::to_string(bounds.header_bytes) +
                " bytes (--max-header-bytes)"};
  }
};

Http1Parser::Http1Parser(const Bounds& bounds) : rep_(std::make_unique<Rep>(Rep{bounds, std::nullopt})) { reset(); }

Http1Parser::~Http1Parser() = default;

void Http1Parser::reset() {
  rep_->head_size = 0;
  Parser& parser = rep_->parser.emplace();
  parser.header_limit(static_cast<uint32_t>(std::min<size_t>(rep_->bounds.header_bytes, UINT32_MAX / 2)));
  parser.body_limit(boost::none);
  parser.body_limit_bytes = rep_->bounds.body_bytes;
  parser.header_limit_count = rep_->bounds.header_count;
  parser.keeps_names = rep_->bounds.sent_names;
}

Http1Parser::Outcome Http1Parser::parse_head(std::string_view bytes, HttpRequest& request) {
  Parser& parser = *rep_->parser;
  parser.request = &request;
  size_t used = 0;
  while (!parser.is_header_done()) {
    error_code error;
    const size_t n = parser.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    used += n;
    rep_->head_size += n;
    const size_t waiting = parser.is_header_done() ? 0 : bytes.size() - used;
    if (rep_->head_size + waiting > rep_->bounds.header_bytes) return rep_->head_too_large(used);
    if (error == http::error::need_more || (!error && n == 0)) return {used};
    if (error) {
      Outcome outcome = rep_->fail(error, used);
      outcome.other_protocol = error == http::error::bad_version && names_other_protocol(bytes.substr(used));
      return outcome;
    }
  }
  if (parser.version == 11 && parser.hosts != 1)
    return {used, false, 400, {}, "an HTTP/1.1 request needs exactly one Host header"};
  return {used, true};
}

/// As long as a chunked body has not ended, so many bytes must follow: "0\r\n\r\n". Beast asserts it of the last
/// chunk's line when it looks at that a second time.
constexpr size_t kLeastOfChunks = 5;

Http1Parser::Outcome Http1Parser::parse_chunks(std::string_view bytes, BodyBuffer& body) {
  Parser& parser = *rep_->parser;
  parser.body = &body;
  parser.eager(true);
  size_t used = 0;
  while (!parser.is_done()) {
    if (bytes.size() - used < kLeastOfChunks) return {used};
    error_code error;
    const size_t n = parser.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    used += n;
    if (error == http::error::need_more || (!error && n == 0)) {
      if (bytes.size() - used > rep_->bounds.header_bytes)
        return rep_->head_too_large(used);  // an endless chunk extension
      return {used};
    }
    if (error) return rep_->fail(error, used);
  }
  return {used, true};
}

bool Http1Parser::chunked() const { return rep_->parser->chunked(); }
uint64_t Http1Parser::content_length() const { return rep_->parser->content_length().value_or(0); }
bool Http1Parser::keep_alive() const { return rep_->parser->keep_alive(); }
bool Http1Parser::http_1_0() const { return rep_->parser->version == 10; }
bool Http1Parser::expects_continue() const { return rep_->parser->expects_continue && !http_1_0(); }

}  // namespace modelmill::wire
