#include "storage/web_client.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <thread>

#include "storage/proxy_choice.h"

namespace modelmill {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestPause(10'000);
constexpr milliseconds kPauseStep(100);
constexpr size_t kIdleClients = 32;
constexpr size_t kShownBytes = 300;

bool may_pass(const Result<ClientReply>& outcome) {
  if (!outcome.ok())
    return outcome.status().code() == Code::kUnavailable || outcome.status().code() == Code::kDeadlineExceeded;
  const int status = outcome->status;
  return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/// What the server asks for, within reason; else a random time up to `limit`, so that many clients do not come at once.
milliseconds pause_of(const Result<ClientReply>& outcome, milliseconds limit) {
  if (outcome.ok()) {
    const std::string_view wish = outcome->header("retry-after");
    unsigned seconds = 0;
    if (std::from_chars(wish.data(), wish.data() + wish.size(), seconds).ec == std::errc())
      return std::min<milliseconds>(std::chrono::seconds(seconds), kLongestPause);
  }
  static thread_local std::minstd_rand random{std::random_device{}()};
  const auto most = std::min(limit, kLongestPause).count();
  return milliseconds(std::uniform_int_distribution<milliseconds::rep>(most / 2, most)(random));
}

/// False when it was cancelled.
bool pause(milliseconds time, const std::atomic<bool>& cancelled) {
  for (milliseconds left = time; left.count() > 0 && !cancelled; left -= kPauseStep)
    std::this_thread::sleep_for(std::min(left, kPauseStep));
  return !cancelled;
}

/// A body's text in a line: errors come as XML, JSON or pages.
std::string word_of(const std::string& body) {
  std::string out;
  for (const char c : body.substr(0, kShownBytes)) out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  return body.size() > kShownBytes ? out + "..." : out;
}

Code code_of(int status) {
  switch (status) {
    case 400: return Code::kInvalidArgument;
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kPermissionDenied;
    case 404:
    case 410: return Code::kNotFound;
    case 412: return Code::kAborted;
    case 416: return Code::kOutOfRange;
    case 429: return Code::kResourceExhausted;
    default: return status >= 500 ? Code::kUnavailable : Code::kFailedPrecondition;
  }
}

}  // namespace

Result<ClientReply> WebClient::send(const WebRequest& request, const Prepare& prepare,
                                    const std::atomic<bool>& cancel) {
  milliseconds limit = options_.first_pause;
  for (int tries = 1;; ++tries, limit *= 2) {
    Result<ClientReply> outcome = send_once(request, prepare, cancel);
    if (tries >= options_.tries || !may_pass(outcome)) return outcome;
    if (!pause(pause_of(outcome, limit), cancel))
      return cancelled("the request of " + request.url.shown() + " was cancelled");
  }
}

Result<ClientReply> WebClient::send_once(const WebRequest& request, const Prepare& prepare,
                                         const std::atomic<bool>& cancel) {
  WebRequest complete = request;
  if (prepare) MM_RETURN_IF_ERROR(prepare(complete));
  MM_ASSIGN_OR_RETURN(ClientPtr client, take(complete.url.base));
  HttpClient::Sink sink;
  if (complete.make_sink) sink = complete.make_sink();
  client->cancel_by(&cancel);
  auto reply =
      client->call(complete.method, complete.url.target(), std::move(complete.headers), std::move(complete.body), sink);
  client->cancel_by(nullptr);
  if (reply.ok()) give_back(std::move(client));
  return reply;
}

Result<WebClient::ClientPtr> WebClient::take(const BaseUrl& base) {
  {
    MutexLock lock(mutex_);
    auto& clients = idle_[base.text()];
    if (!clients.empty()) {
      ClientPtr client = std::move(clients.back());
      clients.pop_back();
      return client;
    }
  }
  HttpClient::Options options;
  options.connect_timeout = options_.connect_timeout;
  options.call_timeout = options_.call_timeout;
  options.stall_timeout = options_.stall_timeout;
  options.max_reply_bytes = options_.max_reply_bytes;
  options.ca_file = options_.ca_file;
  options.ca_setting = options_.ca_setting;
  MM_ASSIGN_OR_RETURN(const ProxyChoice proxy, choose_proxy(base, options_.environment));
  options.proxy = proxy.url;
  options.proxy_credentials = proxy.credentials;
  return std::make_unique<HttpClient>(base, std::move(options));
}

void WebClient::give_back(ClientPtr client) {
  MutexLock lock(mutex_);
  auto& clients = idle_[client->url().text()];
  if (clients.size() < kIdleClients) clients.push_back(std::move(client));
}

Status status_of_reply(const ClientReply& reply, const std::string& what) {
  return {code_of(reply.status), what + ": the server answered HTTP " + std::to_string(reply.status) +
                                     (reply.body.empty() ? "" : ": " + word_of(reply.body))};
}

}  // namespace modelmill
