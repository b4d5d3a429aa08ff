#include "dialect/http_router.h"

#include <utility>

#include "base/check.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/percent_text.h"
#include "dialect/passing_exchange.h"

namespace modelmill {
namespace {

size_t chunk_bytes(const Chunks& chunks) {
  size_t total = 0;
  for (const Bytes& chunk : chunks) total += chunk.size();
  return total;
}

/// Passes everything on, and tells the access log when the reply is handed over. Loop thread.
class LoggedExchange final : public PassingExchange {
 public:
  LoggedExchange(std::shared_ptr<wire::HttpExchange> inner, const HttpRouter::AccessLog& log)
      : PassingExchange(std::move(inner)), log_(log), start_(Clock::now()) {}

  void reply(wire::HttpReply reply) override {
    const int status = reply.status;
    const uint64_t bytes = chunk_bytes(reply.body);
    write_record(status, bytes);
    PassingExchange::reply(std::move(reply));
  }

  void begin(wire::HttpReply head) override {
    status_ = head.status;
    bytes_ = chunk_bytes(head.body);
    PassingExchange::begin(std::move(head));
  }
  void write(Chunks piece) override {
    bytes_ += chunk_bytes(piece);
    PassingExchange::write(std::move(piece));
  }
  void end() override {
    write_record(status_, bytes_);
    PassingExchange::end();
  }

 private:
  void write_record(int status, uint64_t bytes) {
    AccessRecord record = access_record(request(), status, bytes);
    record.microseconds = to_ns(Clock::now() - start_) / 1000;
    log_(record);
  }

  const HttpRouter::AccessLog& log_;
  TimePoint start_;
  int status_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace

void HttpRouter::add(std::string segment, wire::HttpHandler handler, GroupOf group) {
  const bool added = owners_.emplace(std::move(segment), Owner{std::move(handler), std::move(group)}).second;
  MM_CHECK(added, "each first segment has one handler");
}

void HttpRouter::add_options(std::string segment, wire::HttpHandler handler, wire::ApiGroup group) {
  const auto of_all = [group](const wire::HttpRequest&) { return group; };
  const bool added = options_owners_.emplace(std::move(segment), Owner{std::move(handler), of_all}).second;
  MM_CHECK(added, "each first segment has one handler of OPTIONS");
}

void HttpRouter::add_path(std::string path, wire::HttpHandler handler, GroupOf group) {
  const bool added = path_owners_.emplace(std::move(path), Owner{std::move(handler), std::move(group)}).second;
  MM_CHECK(added, "each path has one handler");
}

void HttpRouter::set_front(std::function<bool(const wire::HttpRequest&)> takes, wire::HttpHandler handler,
                           GroupOf group) {
  MM_CHECK(!front_takes_, "there is one front");
  front_takes_ = std::move(takes);
  front_ = Owner{std::move(handler), std::move(group)};
}

void HttpRouter::add_last(std::function<bool(const wire::HttpRequest&)> takes, wire::HttpHandler handler,
                          GroupOf group) {
  last_.emplace_back(std::move(takes), Owner{std::move(handler), std::move(group)});
}

const HttpRouter::Owner* HttpRouter::owner(const wire::HttpRequest& request) const {
  if (front_takes_ && front_takes_(request)) return &front_;
  std::string_view path = request.path;
  if (const auto found = path_owners_.find(path); found != path_owners_.end()) return &found->second;
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  if (request.method == "OPTIONS")
    if (const auto found = options_owners_.find(segment); found != options_owners_.end()) return &found->second;
  const auto found = owners_.find(segment);
  if (found != owners_.end()) return &found->second;
  for (const auto& [takes, last] : last_)
    if (takes(request)) return &last;
  return nullptr;
}

std::optional<wire::ApiGroup> HttpRouter::group(const wire::HttpRequest& request) const {
  const Owner* found = owner(request);
  return found == nullptr ? std::nullopt : std::optional(found->group(request));
}

wire::HttpReply HttpRouter::no_such_path(const wire::HttpRequest& request) const {
  std::string known;
  for (const auto& [segment, owner] : owners_) known += (known.empty() ? "/" : ", /") + segment;
  return error_reply(not_found("no such path: '" + request.path + "'; paths here begin with " + known));
}

void HttpRouter::handle(std::shared_ptr<wire::HttpExchange> exchange) const {
  if (access_log_) exchange = std::make_shared<LoggedExchange>(std::move(exchange), access_log_);
  if (const Owner* found = owner(exchange->request())) return found->handler(std::move(exchange));
  exchange->reply(no_such_path(exchange->request()));
}

AccessRecord access_record(const wire::HttpRequest& request, int status, uint64_t bytes) {
  AccessRecord record;
  record.method = request.method;
  record.path = request.path;
  record.status = status;
  record.bytes = bytes;
  record.request_id = request.header("x-request-id");
  if (request.trace.present()) record.trace_id = trace_id_in(request.header("traceparent"));
  record.peer = request.peer;
  record.http2 = request.http2;
  record.tls = request.tls;
  return record;
}

void log_access(const AccessRecord& record) {
  Log::info("access", {{"method", record.method},
                       {"path", record.path},
                       {"status", record.status},
                       {"bytes", record.bytes},
                       {"us", record.microseconds},
                       {"request_id", record.request_id},
                       {"trace_id", record.trace_id},
                       {"peer", record.peer},
                       {"protocol", record.http2 ? "HTTP/2" : "HTTP/1.1"},
                       {"scheme", record.tls ? "https" : "http"}});
}

int http_status(Code code) {
  switch (code) {
    case Code::kOk: return 200;
    case Code::kInternal:
    case Code::kDataLoss: return 500;
    case Code::kNotFound: return 404;
    case Code::kUnavailable: return 503;
    case Code::kUnimplemented: return 501;
    case Code::kDeadlineExceeded: return 504;
    case Code::kCancelled: return 499;
    case Code::kResourceExhausted: return 429;
    case Code::kPermissionDenied: return 403;
    case Code::kUnauthenticated: return 401;
    default: return 400;
  }
}

wire::HttpReply json_reply(int status, std::string body) {
  wire::HttpReply reply;
  reply.status = status;
  reply.headers.emplace_back("Content-Type", "application/json");
  reply.body.push_back(Bytes::from_string(std::move(body)));
  return reply;
}

wire::HttpReply error_reply(const Status& status) {
  JsonWriter json;
  json.begin_object().field("error", status.message()).end_object();
  wire::HttpReply reply = json_reply(http_status(status.code()), json.take());
  if (status.code() == Code::kUnavailable || status.code() == Code::kResourceExhausted) {
    reply.headers.emplace_back("Retry-After", "1");
  }
  return reply;
}

Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (!segment.empty()) {
      MM_ASSIGN_OR_RETURN(std::string decoded, decode_percents(segment));
      segments.push_back(std::move(decoded));
    }
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return segments;
}

}  // namespace modelmill
