#include "http1_replies.h"

#include <charconv>
#include <optional>

#include "base/check.h"
#include "wire/http_text.h"

namespace modelmill::fuzz {
namespace {

constexpr std::string_view kEnd = "\r\n";

/// The text up to the end of the line, which is taken too; nullopt when the line has not come whole.
std::optional<std::string_view> take_line(std::string_view& text) {
  const size_t end = text.find(kEnd);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + kEnd.size());
  return line;
}

template <typename Number>
Number number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  MM_CHECK(error == std::errc() && end == text.data() + text.size(), "a number");
  return value;
}

struct Framing {
  std::optional<size_t> length;
  bool chunked = false;
};

bool take_head(std::string_view& text, Http1Reply& reply, Framing& framing) {
  const auto status_line = take_line(text);
  if (!status_line) return false;
  MM_CHECK(status_line->starts_with("HTTP/1.1 ") && status_line->size() > 13, "a status line");
  reply.status = number<int>(status_line->substr(9, 3), 10);
  while (true) {
    const auto line = take_line(text);
    if (!line) return false;
    if (line->empty()) return true;
    const size_t colon = line->find(": ");
    MM_CHECK(colon != std::string_view::npos && colon > 0, "a header line");
    const std::string name = wire::lower_case(line->substr(0, colon));
    const std::string_view value = line->substr(colon + 2);
    if (name == "content-length") {
      MM_CHECK(!framing.length && !framing.chunked, "one length");
      framing.length = number<size_t>(value, 10);
    } else if (name == "transfer-encoding") {
      MM_CHECK(!framing.length && !framing.chunked && value == "chunked", "one coding");
      framing.chunked = true;
    } else if (name == "n") {
      reply.number = number<int>(value, 10);
    } else if (name == "connection" && value == "close") {
      reply.closes = true;
    }
  }
}

/// False when the text ends inside.
bool take_chunks(std::string_view& text, std::string& body) {
  while (true) {
    const auto line = take_line(text);
    if (!line) return false;
    const auto size = number<size_t>(*line, 16);
    if (text.size() < size + kEnd.size()) return false;
    body += text.substr(0, size);
    MM_CHECK(text.substr(size, kEnd.size()) == kEnd, "the end of a chunk");
    text.remove_prefix(size + kEnd.size());
    if (size == 0) return true;
  }
}

bool take_body(std::string_view& text, Http1Reply& reply, const Framing& framing) {
  if (framing.chunked) return take_chunks(text, reply.body);
  MM_CHECK(framing.length || reply.closes, "a body has an end");
  const size_t size = framing.length.value_or(text.size());
  reply.body = text.substr(0, size);
  const bool whole = reply.body.size() == size;
  text.remove_prefix(reply.body.size());
  return whole;
}

}  // namespace

std::vector<Http1Reply> read_http1_replies(std::string_view sent, const std::function<bool(int)>& without_body) {
  std::vector<Http1Reply> replies;
  while (!sent.empty()) {
    Http1Reply& reply = replies.emplace_back();
    Framing framing;
    if (!take_head(sent, reply, framing)) return replies;
    if (reply.status == 100) {
      MM_CHECK(reply.number < 0 && !framing.length && !framing.chunked, "an interim reply");
      replies.pop_back();
      continue;
    }
    // The wire's own replies do not say what they answer; HEAD can be seen by what follows, for they are the last.
    const bool bodiless =
        !wire::status_has_body(reply.status) || (reply.number >= 0 ? without_body(reply.number) : sent.empty());
    reply.complete = bodiless || take_body(sent, reply, framing);
    if (!reply.complete || reply.closes) {
      MM_CHECK(sent.empty(), "nothing follows the last reply");
      return replies;
    }
  }
  return replies;
}

}  // namespace modelmill::fuzz
