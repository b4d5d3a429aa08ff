#pragma once

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
#include "client/url.h"

namespace modelmill {

/// A connection to a server, over TCP, TLS or a unix socket. Every call is asynchronous, because Beast's timeouts work
/// for nothing else, and tells its outcome once; one call at a time.
class ClientStream {
 public:
  using Done = std::function<void(boost::system::error_code)>;
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using ResponseParser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  virtual ~ClientStream() = default;
  /// Of the calls that follow, together; then they end with beast::error::timeout.
  virtual void expires_after(std::chrono::milliseconds time) = 0;
  virtual void async_connect(Done done) = 0;
  virtual void async_write(Request& request, Done done) = 0;
  virtual void async_read(boost::beast::flat_buffer& buffer, ResponseParser& parser, Done done) = 0;
};

/// Not yet connected. `ca_file` has the authorities to trust with https; empty: the system's. The error is about names
/// that are not known, and files that can't be read.
Result<std::unique_ptr<ClientStream>> make_client_stream(boost::asio::io_context& context, const BaseUrl& url,
                                                         const std::string& ca_file);

}  // namespace modelmill
