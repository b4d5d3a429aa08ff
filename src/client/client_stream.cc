#include "client/client_stream.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <utility>

#include "client/authorities.h"
#include "client/name_lookup.h"

namespace modelmill {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

/// What is the same for all: `Stream` is what bytes go through.
template <typename Stream>
class StreamOver : public ClientStream {
 public:
  template <typename... Arguments>
  explicit StreamOver(Arguments&&... arguments) : stream_(std::forward<Arguments>(arguments)...) {}

  void expires_after(std::chrono::milliseconds time) override { beast::get_lowest_layer(stream_).expires_after(time); }
  void cancel() override { beast::get_lowest_layer(stream_).cancel(); }
  void async_write(Request& request, Done done) override {
    http::async_write(stream_, request, [done = std::move(done)](error_code error, size_t) { done(error); });
  }
  void async_read_some(beast::flat_buffer& buffer, ResponseParser& parser, Done done) override {
    http::async_read_some(stream_, buffer, parser, [done = std::move(done)](error_code error, size_t) { done(error); });
  }

 protected:
  Stream stream_;
};

class TcpStream final : public StreamOver<beast::tcp_stream> {
 public:
  TcpStream(asio::io_context& context, Addresses addresses) : StreamOver(context), addresses_(std::move(addresses)) {}

  void async_connect(Done done) override {
    stream_.async_connect(addresses_, [this, done = std::move(done)](error_code error, const tcp::endpoint&) {
      error_code ignored;
      if (!error) stream_.socket().set_option(tcp::no_delay(true), ignored);
      done(error);
    });
  }

 private:
  const Addresses addresses_;
};

class UnixStream final : public StreamOver<beast::basic_stream<asio::local::stream_protocol>> {
 public:
  UnixStream(asio::io_context& context, const std::string& path) : StreamOver(context), endpoint_(path) {}

  void async_connect(Done done) override { stream_.async_connect(endpoint_, std::move(done)); }

 private:
  const asio::local::stream_protocol::endpoint endpoint_;
};

/// Asks a proxy for a connection to the server.
class Tunnel {
 public:
  Tunnel(const std::string& authority, const std::string& credentials) {
    request_.version(11);
    request_.method(http::verb::connect);
    request_.target(authority);
    request_.set(http::field::host, authority);
    if (!credentials.empty()) request_.set(http::field::proxy_authorization, credentials);
    // The tunnel begins where the head ends, whatever the head says of a body.
    answer_.skip(true);
  }

  void async_open(beast::tcp_stream& proxy, ClientStream::Done done) {
    http::async_write(proxy, request_, [this, &proxy, done = std::move(done)](error_code error, size_t) mutable {
      if (error) return done(error);
      http::async_read(proxy, buffer_, answer_, [this, done = std::move(done)](error_code failed, size_t) {
        if (!failed && answer_.get().result_int() / 100 != 2) failed = asio::error::access_denied;
        done(failed);
      });
    });
  }

 private:
  http::request<http::empty_body> request_;
  http::response_parser<http::empty_body> answer_;
  beast::flat_buffer buffer_;
};

class TlsStream final : public StreamOver<beast::ssl_stream<beast::tcp_stream>> {
 public:
  TlsStream(asio::io_context& context, std::unique_ptr<asio::ssl::context> tls, Addresses addresses,
            const std::string& host, std::unique_ptr<Tunnel> tunnel)
      : StreamOver(context, *tls), tls_(std::move(tls)), addresses_(std::move(addresses)), tunnel_(std::move(tunnel)) {
    stream_.set_verify_mode(asio::ssl::verify_peer);
    stream_.set_verify_callback(asio::ssl::host_name_verification(host));
    error_code no_address;
    asio::ip::make_address(host, no_address);
    // The name of the server that is meant; an address is none.
    if (no_address) SSL_set_tlsext_host_name(stream_.native_handle(), host.c_str());
  }

  void async_connect(Done done) override {
    auto& socket = beast::get_lowest_layer(stream_);
    socket.async_connect(addresses_, [this, done = std::move(done)](error_code error, const tcp::endpoint&) mutable {
      if (error) return done(error);
      beast::get_lowest_layer(stream_).socket().set_option(tcp::no_delay(true), error);
      if (!tunnel_) return stream_.async_handshake(asio::ssl::stream_base::client, std::move(done));
      tunnel_->async_open(stream_.next_layer(), [this, done = std::move(done)](error_code refused) mutable {
        if (refused) return done(refused);
        stream_.async_handshake(asio::ssl::stream_base::client, std::move(done));
      });
    });
  }

 private:
  const std::unique_ptr<asio::ssl::context> tls_;
  const Addresses addresses_;
  const std::unique_ptr<Tunnel> tunnel_;  // none: straight to the server
};

}  // namespace

Result<std::unique_ptr<ClientStream>> make_client_stream(asio::io_context& context, const BaseUrl& url,
                                                         const StreamPath& path, const std::atomic<bool>* cancel) {
  if (!url.unix_path.empty())
    return std::unique_ptr<ClientStream>(std::make_unique<UnixStream>(context, url.unix_path));
  error_code error;
  const BaseUrl& first = path.proxy.host.empty() ? url : path.proxy;
  Addresses addresses = look_up(first.host, first.port, cancel, error);
  if (error == asio::error::operation_aborted) return cancelled("the call to " + url.text() + " was cancelled");
  if (error)
    return unavailable("cannot reach a server at " + url.text() + ": the host name '" + first.host + "'" +
                       (path.proxy.host.empty() ? "" : " of the proxy") + " is not known (" + error.message() + ")");
  if (!url.tls) return std::unique_ptr<ClientStream>(std::make_unique<TcpStream>(context, std::move(addresses)));
  MM_ASSIGN_OR_RETURN(auto tls, trust_authorities(path.ca_file, path.ca_setting));
  std::unique_ptr<Tunnel> tunnel;
  if (!path.proxy.host.empty()) tunnel = std::make_unique<Tunnel>(url.authority(), path.proxy_credentials);
  return std::unique_ptr<ClientStream>(
      std::make_unique<TlsStream>(context, std::move(tls), std::move(addresses), url.host, std::move(tunnel)));
}

}  // namespace modelmill
