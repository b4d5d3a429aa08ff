// The bytes of an HTTP/1 client, in any pieces: requests come to the handler within their limits and alike however they
// were cut, and each is answered once, in its turn, by a well-formed reply.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "http1_replies.h"
#include "targets.h"
#include "wire_rig.h"

namespace modelmill::fuzz {
namespace {

using Exchange = std::shared_ptr<wire::HttpExchange>;

Chunks text_chunks(std::string text) {
  Chunks chunks;
  chunks.push_back(Bytes::from_string(std::move(text)));
  return chunks;
}

/// What the handler saw of one connection.
class Seen {
 public:
  explicit Seen(Later& later) : later_(later) {}

  void handle(const Exchange& exchange) {
    const wire::HttpRequest& request = exchange->request();
    check(request);
    const int number = static_cast<int>(requests_.size());
    requests_.push_back({text_of(request), request.method == "HEAD"});
    exchange->on_abandoned([this, number] {
      Request& of = requests_[static_cast<size_t>(number)];
      MM_CHECK(!of.answered && !of.abandoned, "abandoned once, and only before the answer");
      of.abandoned = true;
    });
    if (request.path.find("late") != std::string::npos)
      later_.add([this, exchange, number] { answer(exchange, number); });
    else
      answer(exchange, number);
  }

  bool is_head(int number) const {
    MM_CHECK(number < static_cast<int>(requests_.size()), "a reply to a request that there was");
    return requests_[static_cast<size_t>(number)].head;
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> texts;
    for (const Request& request : requests_) texts.push_back(request.text);
    return texts;
  }

 private:
  struct Request {
    std::string text;
    bool head = false;
    bool answered = false;
    bool abandoned = false;
  };

  static void check(const wire::HttpRequest& request) {
    const wire::Limits limits = WireRig::limits();
    size_t head = request.method.size() + request.path.size() + request.query.size();
    for (const auto& [name, value] : request.headers) {
      head += name.size() + value.size();
      MM_CHECK(!name.empty() && value.find_first_of("\r\n") == std::string::npos, "a header is a line");
    }
    MM_CHECK(head <= limits.header_bytes && request.headers.size() <= limits.header_count, "the head keeps its limits");
    MM_CHECK(request.body.size() <= limits.http_body, "the body keeps its limit");
    MM_CHECK(reinterpret_cast<uintptr_t>(request.body.data()) % kAlignment == 0, "the body is aligned");
    MM_CHECK(!request.method.empty() && !request.path.empty() && !request.http2, "a request has a line");
  }
  static std::string text_of(const wire::HttpRequest& request) {
    std::string text = request.method + " " + request.path + "?" + request.query + "\n";
    for (const auto& [name, value] : request.headers) text += name + ": " + value + "\n";
    text += "\n";
    text += request.body.view();
    return text;
  }

  void answer(const Exchange& exchange, int number) {
    const std::string& path = exchange->request().path;
    wire::HttpReply reply = wire::HttpReply::text(200, "text/plain", std::string(exchange->request().body.view()));
    reply.headers.emplace_back("n", std::to_string(number));
    if (path.find("204") != std::string::npos) reply.status = 204;
    if (path.find("large") != std::string::npos) reply.body = text_chunks(std::string(20'000, 'x'));
    Request& request = requests_[static_cast<size_t>(number)];
    if (path.find("stream") == std::string::npos) {
      request.answered = true;
      exchange->reply(std::move(reply));
      exchange->reply(wire::HttpReply::text(500, "text/plain", "a second answer is none"));
      return;
    }
    exchange->begin(std::move(reply));
    exchange->write(text_chunks("piece"));
    later_.add([&request, exchange] {
      exchange->write(text_chunks("another"));
      request.answered = true;
      exchange->end();
      exchange->end();
    });
  }

  Later& later_;
  std::deque<Request> requests_;  // stays in place
};

struct Outcome {
  std::vector<std::string> requests;
  bool undisturbed = false;
};

Outcome play(WireRig& rig, Later& later, Input input, bool cuts) {
  Seen seen(later);
  const std::string_view stream = input.content();
  Input whole("");
  rig.play(cuts ? input : whole, stream, [&](const Exchange& exchange) { seen.handle(exchange); });
  const auto replies = read_http1_replies(rig.sent(), [&](int number) { return seen.is_head(number); });
  int next = 0;
  for (const Http1Reply& reply : replies) {
    const bool last = &reply == &replies.back();
    MM_CHECK(reply.number == next || (last && reply.number < 0), "replies come in the order of their requests");
    MM_CHECK(reply.complete || (last && !rig.undisturbed()), "whole");
    ++next;
  }
  return {seen.texts(), rig.undisturbed()};
}

}  // namespace

void http1(std::string_view bytes) {
  static wire::GrpcMethods no_methods;
  static Later later;
  static WireRig rig(no_methods, later);
  Input input(bytes);
  // What begins as HTTP/2 does is http2's to test.
  if (input.content().starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) return;
  const Outcome cut = play(rig, later, input, true);
  if (!cut.undisturbed) return;
  const Outcome whole = play(rig, later, input, false);
  // A reply that ends the connection may come sooner or later than the requests behind it.
  const size_t both = std::min(cut.requests.size(), whole.requests.size());
  for (size_t i = 0; i < both; ++i)
    MM_CHECK(cut.requests[i] == whole.requests[i], "a request is the same however it was cut");
}

}  // namespace modelmill::fuzz
