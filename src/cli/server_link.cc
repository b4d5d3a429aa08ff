#include "cli/server_link.h"

#include <simdjson.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <optional>

#include "dialect/http_router.h"
#include "dialect/kserve_v2/http_api_group.h"
#include "dialect/kserve_v2/service.h"
#include "dialect/predict/service.h"
#include "server/access/token_store.h"
#include "server/engine.h"
#include "server/version.h"

namespace modelmill {
namespace {

class RemoteLink final : public ServerLink {
 public:
  RemoteLink(BaseUrl url, HttpClient::Options options, std::string token)
      : client_(std::move(url), std::move(options)), token_(std::move(token)) {}

  Result<ClientReply> call(std::string_view method, std::string_view path, HttpClient::Headers headers,
                           std::string body) override {
    if (!token_.empty()) headers.emplace_back("authorization", "Bearer " + token_);
    return client_.call(method, path, std::move(headers), std::move(body));
  }

 private:
  HttpClient client_;
  const std::string token_;
};

/// A request that came from no socket; its reply becomes the value of a promise. All but the promise is for the loop.
class LocalExchange final : public wire::HttpExchange {
 public:
  LocalExchange(wire::HttpRequest request, wire::Loop& loop) : request_(std::move(request)), loop_(loop) {}
  ~LocalExchange() override {
    if (!answered_) promise_.set_value(internal("the request was dropped without an answer"));
  }

  std::future<Result<ClientReply>> future() { return promise_.get_future(); }

  wire::HttpRequest& request() override { return request_; }
  wire::Loop& loop() override { return loop_; }
  void reply(wire::HttpReply reply) override {
    begin(std::move(reply));
    end();
  }
  void begin(wire::HttpReply head) override {
    reply_.status = head.status;
    for (auto& [name, value] : head.headers) {
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      reply_.headers.emplace_back(std::move(name), std::move(value));
    }
    write(std::move(head.body));
  }
  void write(Chunks piece) override {
    for (const Bytes& chunk : piece) reply_.body += chunk.view();
  }
  void end() override {
    if (answered_) return;
    answered_ = true;
    promise_.set_value(std::move(reply_));
  }
  void on_abandoned(std::function<void()>) override {}

 private:
  wire::HttpRequest request_;
  wire::Loop& loop_;
  ClientReply reply_;
  bool answered_ = false;
  std::promise<Result<ClientReply>> promise_;
};

class LocalLink final : public ServerLink {
 public:
  explicit LocalLink(const ServerConfig& config)
      : engine_(config), v2_(engine_.inference(), {"modelmill", server_version(), {}}) {
    router_.add("v2", v2_.http(), kserve_v2::http_api_group);
    router_.add("predict", predict::make_handler(engine_.inference()), predict::http_api_group);
  }
  ~LocalLink() override {
    engine_.shutdown();
    loop_.stop();
  }

  Status load() {
    MM_RETURN_IF_ERROR(engine_.load());
    loop_.start();
    return ok_status();
  }

  Result<ClientReply> call(std::string_view method, std::string_view path, HttpClient::Headers headers,
                           std::string body) override {
    wire::HttpRequest request;
    request.method = method;
    request.path = path.substr(0, path.find('?'));
    if (request.path.size() < path.size()) request.query = path.substr(request.path.size() + 1);
    request.headers = std::move(headers);
    for (auto& [name, value] : request.headers) {
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    request.body = Bytes::copy_of(body);
    request.peer = "in process";
    auto exchange = std::make_shared<LocalExchange>(std::move(request), loop_);
    std::future<Result<ClientReply>> reply = exchange->future();
    loop_.post([this, exchange = std::move(exchange)]() mutable { router_.handle(std::move(exchange)); });
    return reply.get();
  }

 private:
  wire::Loop loop_;
  Engine engine_;
  kserve_v2::Service v2_;
  HttpRouter router_;
};

Code code_of(int http_status) {
  switch (http_status) {
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404: return Code::kNotFound;
    case 429: return Code::kResourceExhausted;
    case 500: return Code::kInternal;
    // The server did answer, so not kUnavailable, which means that none was reached.
    case 503: return Code::kAborted;
    case 504: return Code::kDeadlineExceeded;
    default: return http_status >= 500 ? Code::kInternal : Code::kInvalidArgument;
  }
}

/// The text under "error" of a JSON object, or the body itself when it is another kind of answer.
std::string error_text(const ClientReply& reply) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  std::string_view text;
  if (!parser.parse(reply.body).get(document) && !document["error"].get(text)) return std::string(text);
  const std::string_view start = std::string_view(reply.body).substr(0, 200);
  return "the server answered " + std::to_string(reply.status) + (start.empty() ? "" : ": " + std::string(start));
}

}  // namespace

Result<std::string> client_token(const std::string& file) {
  if (file.empty()) {
    const char* token = std::getenv("MODELMILL_TOKEN");
    return std::string(token == nullptr ? "" : token);
  }
  MM_ASSIGN_OR_RETURN(const std::string text, read_token_file(file));
  std::string token = first_token(text);
  if (token.empty()) return invalid_argument("token file '" + file + "' has no token");
  return token;
}

Result<std::unique_ptr<ServerLink>> connect_server(const std::string& url, ConnectOptions connect) {
  MM_ASSIGN_OR_RETURN(BaseUrl base, parse_base_url(url));
  HttpClient::Options options;
  options.call_timeout = connect.timeout;
  options.ca_file = std::move(connect.ca_file);
  options.ca_setting = "--ca";
  return std::unique_ptr<ServerLink>(
      std::make_unique<RemoteLink>(std::move(base), std::move(options), std::move(connect.token)));
}

Result<std::unique_ptr<ServerLink>> load_models(const ServerConfig& config) {
  auto link = std::make_unique<LocalLink>(config);
  MM_RETURN_IF_ERROR(link->load());
  return std::unique_ptr<ServerLink>(std::move(link));
}

Result<std::string> body_of(Result<ClientReply> reply) {
  if (!reply.ok()) return reply.status();
  if (reply->status == 200) return std::move(reply->body);
  const std::string hint =
      reply->status == 401 ? " (--token-file FILE or MODELMILL_TOKEN gives one to this command)" : "";
  return Status(code_of(reply->status), error_text(*reply) + hint);
}

}  // namespace modelmill
