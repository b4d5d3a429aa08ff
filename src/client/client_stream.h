#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "client/reply_body.h"
#include "client/url.h"

namespace modelmill {

/// A connection to a server, over TCP, TLS or a unix socket. Every call is asynchronous, because Beast's timeouts work
/// for nothing else, and tells its outcome once; one call at a time.
class ClientStream {
 public:
  using Done = std::function<void(boost::system::error_code)>;
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using ResponseParser = boost::beast::http::response_parser<ReplyBody>;

  virtual ~ClientStream() = default;
  /// Of the calls that follow, together; then they end with beast::error::timeout.
  virtual void expires_after(std::chrono::milliseconds time) = 0;
  /// Ends the call that is under way, with asio::error::operation_aborted, as far as the system can.
  virtual void cancel() = 0;
  virtual void async_connect(Done done) = 0;
  virtual void async_write(Request& request, Done done) = 0;
  /// What comes next of the answer; again until the parser is done.
  virtual void async_read_some(boost::beast::flat_buffer& buffer, ResponseParser& parser, Done done) = 0;
};

/// How a stream gets to its server.
struct StreamPath {
  /// Authorities to trust with https, in PEM; empty: the system's.
  std::string ca_file = {};
  /// What names that file, for errors; empty: nothing could.
  std::string ca_setting = {};
  /// An HTTP proxy; its host is empty when there is none. https goes through a tunnel that it makes (CONNECT).
  BaseUrl proxy = {};
  /// Of Proxy-Authorization; empty: none.
  std::string proxy_credentials = {};
};

/// Not yet connected. The error is about names that are not known, and files that can't be read; CANCELLED soon after
/// `cancel` is set, while a name is looked up. Connecting ends with asio::error::access_denied when the proxy makes no
/// tunnel.
Result<std::unique_ptr<ClientStream>> make_client_stream(boost::asio::io_context& context, const BaseUrl& url,
                                                         const StreamPath& path, const std::atomic<bool>* cancel);

}  // namespace modelmill
