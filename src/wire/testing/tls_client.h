#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace modelmill::wire {

/// A blocking TLS client on OpenSSL, which shakes hands only when told to.
class TlsClient {
 public:
  struct Options {
    std::string alpn;  // "h2,http/1.1"; empty: the extension is not sent
    std::string certificate;
    std::string key;
    int max_version = 0;
    SSL_SESSION* resume = nullptr;
  };

  TlsClient(uint16_t port, const Options& options)
      : context_(SSL_CTX_new(TLS_client_method())), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MM_CHECK(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
    SSL_CTX_set_security_level(context_, 0);  // so that the server is the one that refuses
    if (options.max_version != 0) {
      SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
      SSL_CTX_set_max_proto_version(context_, options.max_version);
    }
    if (!options.certificate.empty()) {
      MM_CHECK(SSL_CTX_use_certificate_chain_file(context_, options.certificate.c_str()) == 1, "certificate");
      MM_CHECK(SSL_CTX_use_PrivateKey_file(context_, options.key.c_str(), SSL_FILETYPE_PEM) == 1, "key");
    }
    ssl_ = SSL_new(context_);
    set_alpn(options.alpn);
    if (options.resume != nullptr) SSL_set_session(ssl_, options.resume);
    SSL_set_fd(ssl_, fd_);
  }
  ~TlsClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool shake_hands() { return SSL_connect(ssl_) == 1; }
  SSL* ssl() { return ssl_; }
  std::string version() const { return SSL_get_version(ssl_); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  /// The subject's name in the server's certificate.
  std::string server_name() const {
    const X509* certificate = SSL_get0_peer_certificate(ssl_);
    char name[128] = "";
    if (certificate != nullptr)
      X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    return name;
  }

  void send(std::string_view bytes) {
    size_t n = 0;
    SSL_write_ex(ssl_, bytes.data(), bytes.size(), &n);
  }
  /// What has come, at least something; empty at the end.
  std::string read_available() {
    std::string buffer(64 * 1024, '\0');
    size_t n = 0;
    ERR_clear_error();
    if (SSL_read_ex(ssl_, buffer.data(), buffer.size(), &n) != 1) {
      ended_cleanly_ = (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
      const unsigned long error = ERR_peek_error();
      if (error != 0) alert_ = ERR_reason_error_string(error);
      return {};
    }
    buffer.resize(n);
    return buffer;
  }
  std::string read_exactly(size_t n) {
    while (pending_.size() < n) {
      const std::string more = read_available();
      if (more.empty()) break;
      pending_ += more;
    }
    std::string out = pending_.substr(0, n);
    pending_.erase(0, out.size());
    return out;
  }
  std::string read_to_end() {
    for (std::string more; !(more = read_available()).empty();) pending_ += more;
    return std::exchange(pending_, {});
  }
  /// One HTTP/1.1 reply with a content-length.
  std::string read_reply() {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      const std::string next = read_exactly(1);
      if (next.empty()) return head;
      head += next;
    }
    const size_t at = head.find("content-length: ");
    return at == std::string::npos ? head : head + read_exactly(std::stoul(head.substr(at + 16)));
  }
  /// Whether the end that was read was close_notify.
  bool ended_cleanly() const { return ended_cleanly_; }
  /// What the handshake or the last read failed by, in OpenSSL's words.
  std::string failure() const {
    if (!alert_.empty()) return alert_;
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    return reason == nullptr ? "" : reason;
  }
  void shutdown() { SSL_shutdown(ssl_); }

 private:
  void set_alpn(const std::string& names) {
    std::string wire;
    for (size_t at = 0; at < names.size();) {
      const size_t end = std::min(names.find(',', at), names.size());
      wire += static_cast<char>(end - at);
      wire += names.substr(at, end - at);
      at = end + 1;
    }
    if (!wire.empty())
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned>(wire.size()));
  }

  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  int fd_;
  std::string pending_;
  std::string alert_;
  bool ended_cleanly_ = false;
};

}  // namespace modelmill::wire
