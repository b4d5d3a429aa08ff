#include "client/http_client.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cctype>

#include "base/clock.h"
#include "client/client_stream.h"

namespace modelmill {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using ErrorCode = boost::system::error_code;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

ClientReply head_of(const http::response<ReplyBody>& message) {
  ClientReply reply;
  reply.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    const auto name = field.name_string();
    const auto value = field.value();
    reply.headers.emplace_back(lower({name.data(), name.size()}), std::string(value.data(), value.size()));
  }
  return reply;
}

}  // namespace

std::string_view ClientReply::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

/// How soon a call that waits sees that it was cancelled.
constexpr std::chrono::milliseconds kCancelInterval(50);

/// Beast's timeouts work for asynchronous calls only, so every step is one, run to its end before the next begins.
struct HttpClient::Rep {
  Rep(BaseUrl u, Options o) : url(std::move(u)), options(std::move(o)) {}

  BaseUrl url;
  Options options;
  asio::io_context context{1};
  std::unique_ptr<ClientStream> stream;  // connected, or none
  beast::flat_buffer buffer;

  const std::atomic<bool>* cancel = nullptr;

  /// One step of a stream.
  template <typename Start>
  ErrorCode run(ClientStream& of, Start start) {
    ErrorCode outcome;
    start([&outcome](ErrorCode error, auto&&...) { outcome = error; });
    context.restart();
    while (!context.stopped()) {
      context.run_for(kCancelInterval);
      if (!context.stopped() && is_cancelled()) of.cancel();
    }
    return outcome;
  }

  bool is_cancelled() const { return cancel != nullptr && *cancel; }
  Status cancelled_call() const { return cancelled("the call to " + url.text() + " was cancelled"); }

  Status unreachable(const std::string& why) {
    return unavailable("cannot reach a server at " + url.text() + ": " + why);
  }

  Status connect() {
    buffer.clear();
    MM_ASSIGN_OR_RETURN(
        auto fresh,
        make_client_stream(context, url,
                           {options.ca_file, options.ca_setting, options.proxy, options.proxy_credentials}, cancel));
    fresh->expires_after(options.connect_timeout);
    const ErrorCode error = run(*fresh, [&](auto done) { fresh->async_connect(std::move(done)); });
    if (error && is_cancelled()) return cancelled_call();
    if (error == beast::error::timeout)
      return unreachable("no connection within " + std::to_string(options.connect_timeout.count()) + " ms");
    if (error == asio::error::access_denied)
      return unreachable("the proxy " + options.proxy.text() + " makes no tunnel to it");
    if (error.category() == asio::error::get_ssl_category()) return not_trusted(error);
    if (error) return unreachable(error.message());
    stream = std::move(fresh);
    return ok_status();
  }

  Status not_trusted(const ErrorCode& error) {
    const bool unverified =
        ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    return unreachable("the TLS handshake failed: " + error.message() +
                       (unverified ? "; the server's certificate must be for '" + url.host +
                                         "', and signed by an authority of this system" +
                                         (options.ca_setting.empty() ? "" : " or of " + options.ca_setting)
                                   : ""));
  }

  Status failed(const ErrorCode& error) {
    stream.reset();
    if (is_cancelled()) return cancelled_call();
    if (error == beast::error::timeout) {
      const auto stall = options.stall_timeout.count();
      return deadline_exceeded("the server at " + url.text() + " did not answer within " +
                               std::to_string(options.call_timeout.count()) + " ms" +
                               (stall > 0 ? ", or was silent for " + std::to_string(stall) + " ms" : ""));
    }
    if (error == http::error::body_limit) {
      return resource_exhausted("the answer of " + url.text() + " is larger than " +
                                std::to_string(options.max_reply_bytes) + " bytes");
    }
    if (error == http::error::end_of_stream || error == asio::error::eof || error == asio::error::connection_reset ||
        error == asio::error::broken_pipe || error == http::error::partial_message) {
      return unavailable("the server at " + url.text() + " closed the connection before it had answered");
    }
    return unavailable("the answer of " + url.text() + " cannot be read: " + error.message());
  }

  /// One try on the open connection. `stale` is set when the server had closed a kept connection before our request.
  Result<ClientReply> exchange(http::request<http::string_body>& request, const Sink& sink, bool kept, bool& stale) {
    const TimePoint end = Clock::now() + options.call_timeout;
    expire(end);
    ErrorCode error = run(*stream, [&](auto done) { stream->async_write(request, std::move(done)); });
    if (error) {
      stale = kept && error != beast::error::timeout;
      return failed(error);
    }
    http::response_parser<ReplyBody> parser;
    parser.body_limit(boost::none);
    parser.get().body().max_text = options.max_reply_bytes;
    parser.get().body().cuts = options.cut_replies;
    parser.eager(true);
    if (request.method() == http::verb::head) parser.skip(true);
    ClientReply head;
    if (sink) {
      parser.get().body().sink = [&](std::string_view piece) {
        if (head.status == 0) head = head_of(parser.get());
        return sink(head, piece);
      };
    }
    while (!error && !parser.is_done()) {
      expire(end);
      error = run(*stream, [&](auto done) { stream->async_read_some(buffer, parser, std::move(done)); });
    }
    if (Status refused = parser.get().body().refused; !refused.ok()) {
      stream.reset();
      return refused;
    }
    if (error) {
      stale =
          kept && !parser.got_some() && (error == http::error::end_of_stream || error == asio::error::connection_reset);
      return failed(error);
    }
    const bool keep = parser.get().keep_alive();
    if (!keep) stream.reset();
    ClientReply reply = head_of(parser.get());
    reply.body = std::move(parser.get().body().text);
    return reply;
  }

  /// What comes next must come before `end`, and within the stall timeout.
  void expire(TimePoint end) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (options.stall_timeout.count() > 0) left = std::min(left, options.stall_timeout);
    stream->expires_after(std::max(left, std::chrono::milliseconds(0)));
  }
};

HttpClient::HttpClient(BaseUrl url, Options options)
    : rep_(std::make_unique<Rep>(std::move(url), std::move(options))) {}
HttpClient::HttpClient(BaseUrl url) : HttpClient(std::move(url), Options()) {}
HttpClient::~HttpClient() = default;

const BaseUrl& HttpClient::url() const { return rep_->url; }
void HttpClient::cancel_by(const std::atomic<bool>* cancelled) { rep_->cancel = cancelled; }

Result<ClientReply> HttpClient::call(std::string_view method, std::string_view path, Headers headers, std::string body,
                                     const Sink& sink) {
  http::request<http::string_body> request;
  request.version(11);
  request.method_string({method.data(), method.size()});
  const Options& options = rep_->options;
  const bool through_proxy = !options.proxy.host.empty() && !rep_->url.tls;
  request.target((through_proxy ? rep_->url.text() : rep_->url.prefix) + std::string(path));
  request.set(http::field::host, rep_->url.host_header());
  if (through_proxy && !options.proxy_credentials.empty())
    request.set(http::field::proxy_authorization, options.proxy_credentials);
  request.set(http::field::user_agent, "modelmill");
  for (const auto& [name, value] : headers) request.insert(name, value);
  request.body() = std::move(body);
  request.prepare_payload();
  try {
    const bool kept = rep_->stream != nullptr;
    if (!kept) MM_RETURN_IF_ERROR(rep_->connect());
    bool stale = false;
    Result<ClientReply> reply = rep_->exchange(request, sink, kept, stale);
    if (reply.ok() || !stale) return reply;
    // The server closed the kept connection while it was idle, so it has not seen this request.
    MM_RETURN_IF_ERROR(rep_->connect());
    return rep_->exchange(request, sink, false, stale);
  } catch (const std::exception& error) {
    rep_->stream.reset();
    return internal("HTTP call to " + rep_->url.text() + ": " + error.what());
  }
}

}  // namespace modelmill
