#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "wire/server.h"

namespace modelmill::wire {

/// A blocking TCP client that speaks whatever bytes the test gives it.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : RawClient(port, Later()) { connect(); }
  /// Has its socket, and is not yet connected.
  struct Later {};
  RawClient(uint16_t port, Later) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), port_(port) {}
  void connect() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MM_CHECK(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  /// Reads until `text` has come (all read so far is returned and forgotten), or the connection ends.
  std::string read_until(std::string_view text) {
    while (pending_.find(text) == std::string::npos && read_some()) {
    }
    const size_t at = pending_.find(text);
    const size_t n = at == std::string::npos ? pending_.size() : at + text.size();
    std::string out = pending_.substr(0, n);
    pending_.erase(0, n);
    return out;
  }
  std::string read_exactly(size_t n) {
    while (pending_.size() < n && read_some()) {
    }
    std::string out = pending_.substr(0, n);
    pending_.erase(0, out.size());
    return out;
  }
  std::string read_to_end() {
    while (read_some()) {
    }
    return std::move(pending_);
  }
  /// What has come, at least something; empty at the end.
  std::string read_available() {
    if (pending_.empty()) read_some();
    return std::exchange(pending_, {});
  }
  /// One HTTP/1.1 reply with a content-length.
  std::string read_reply() {
    std::string head = read_until("\r\n\r\n");
    const size_t at = head.find("content-length: ");
    if (at == std::string::npos) return head;
    return head + read_exactly(std::stoul(head.substr(at + 16)));
  }
  void shutdown_write() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  bool read_some() {
    char buffer[4096];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    pending_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  int fd_;
  uint16_t port_;
  std::string pending_;
};

/// A running server on a free port of the loopback.
class TestServer {
 public:
  explicit TestServer(HttpHandler http, Limits limits = {}, int loops = 1) : loops_(loops), http_(std::move(http)) {
    options_.port = 0;
    options_.limits = limits;
  }
  ~TestServer() {
    server_.reset();
    loops_.stop();
  }

  GrpcMethods& methods() { return methods_; }
  /// Before start().
  Server::Options& options() { return options_; }
  void start() {
    server_ = std::make_unique<Server>(loops_, options_, http_, methods_, metrics_);
    loops_.start();
    const Status status = server_->listen();
    MM_CHECK(status.ok(), status.to_string().c_str());
  }
  uint16_t port() const { return server_->port(); }
  Server& server() { return *server_; }
  LoopPool& loops() { return loops_; }
  MetricRegistry& metrics() { return metrics_; }

 private:
  LoopPool loops_;
  HttpHandler http_;
  GrpcMethods methods_;
  MetricRegistry metrics_;
  Server::Options options_;
  std::unique_ptr<Server> server_;
};

}  // namespace modelmill::wire
