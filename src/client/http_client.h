#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "client/url.h"

namespace modelmill {

/// What a server answered, of any status.
struct ClientReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in the order they came
  std::string body;

  /// The first header of that (lower-case) name; empty when there is none.
  std::string_view header(std::string_view name) const;
};

/// A blocking HTTP/1.1 client of one server. It keeps its connection between calls and opens a new one when the server
/// has closed it. For one thread at a time.
class HttpClient {
 public:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  struct Options {
    std::chrono::milliseconds connect_timeout{5'000};
    /// Of a whole call, sending and waiting for the answer included.
    std::chrono::milliseconds call_timeout{300'000};
    /// Answers above this many bytes are refused, except those that a sink takes.
    uint64_t max_reply_bytes = uint64_t{4} << 30;
    /// Then they are cut there instead.
    bool cut_replies = false;
    /// Authorities to trust with https, in PEM; empty: the system's.
    std::string ca_file = {};
    /// What names that file, for errors; empty: nothing could.
    std::string ca_setting = {};
    /// The longest silence within a call; zero: only call_timeout counts.
    std::chrono::milliseconds stall_timeout{0};
    /// An HTTP proxy to go through; its host is empty when there is none.
    BaseUrl proxy = {};
    /// Of Proxy-Authorization; empty: none.
    std::string proxy_credentials = {};
  };

  /// Takes the body of a 2xx answer while it arrives, in the place of ClientReply::body; `head` has status and headers.
  /// Its error ends the call, with that error.
  using Sink = std::function<Status(const ClientReply& head, std::string_view piece)>;

  HttpClient(BaseUrl url, Options options);
  explicit HttpClient(BaseUrl url);
  ~HttpClient();

  const BaseUrl& url() const;
  /// Calls end with CANCELLED soon after this is set; null: nothing ends them. It must outlive them.
  void cancel_by(const std::atomic<bool>* cancelled);

  /// `path` begins with '/'; the URL's prefix is put before it. The status is UNAVAILABLE when the server cannot be
  /// reached or hangs up, DEADLINE_EXCEEDED when it does not answer in time; an HTTP error is a reply, not an error
  /// here. A sink may hear the beginning twice only if it has heard nothing the first time.
  Result<ClientReply> call(std::string_view method, std::string_view path, Headers headers, std::string body,
                           const Sink& sink = {});
  Result<ClientReply> get(std::string_view path) { return call("GET", path, {}, {}); }

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace modelmill
