#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "client/http_client.h"
#include "storage/environment.h"
#include "storage/web_url.h"

namespace modelmill {

/// One request of any server.
struct WebRequest {
  WebUrl url;
  std::string method = "GET";
  HttpClient::Headers headers = {};
  std::string body = {};
  /// A new one for each try, because each begins at the beginning. None: the body is in the reply.
  std::function<HttpClient::Sink()> make_sink = {};
};

/// HTTP requests of any servers, over kept connections: what may pass (connections lost, 429, 5xx) is tried again, more
/// slowly each time; proxies are those of the environment (https_proxy, http_proxy, no_proxy). Thread-safe.
class WebClient {
 public:
  struct Options {
    Environment environment = process_environment();
    /// Of one request, the first included.
    int tries = 5;
    std::chrono::milliseconds first_pause{200};
    std::chrono::milliseconds connect_timeout{10'000};
    /// As long as a large file may take of a server that knows no ranges; silence ends a call much sooner.
    std::chrono::milliseconds call_timeout = std::chrono::hours(6);
    std::chrono::milliseconds stall_timeout{30'000};
    /// Of answers that are not given to a sink.
    uint64_t max_reply_bytes = uint64_t{64} << 20;
    std::string ca_file = {};
    /// What names that file, for errors.
    std::string ca_setting = {};
  };
  /// Makes the request complete just before each try: signatures and tokens have a time.
  using Prepare = std::function<Status(WebRequest&)>;

  explicit WebClient(Options options) : options_(std::move(options)) {}

  /// The last answer, of whatever status, or why there was none.
  Result<ClientReply> send(const WebRequest& request, const Prepare& prepare, const std::atomic<bool>& cancelled);

 private:
  using ClientPtr = std::unique_ptr<HttpClient>;

  Result<ClientReply> send_once(const WebRequest& request, const Prepare& prepare, const std::atomic<bool>& cancelled);
  Result<ClientPtr> take(const BaseUrl& base);
  void give_back(ClientPtr client);

  const Options options_;
  Mutex mutex_;
  std::map<std::string, std::vector<ClientPtr>> idle_ MM_GUARDED_BY(mutex_);  // by the server's URL
};

/// An answer that is no success as a Status: its code, what was asked (`what`: "list bucket 'x'"), the server's word.
Status status_of_reply(const ClientReply& reply, const std::string& what);

}  // namespace modelmill
