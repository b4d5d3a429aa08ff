#pragma once

#include <netdb.h>
#include <sys/types.h>

#include <utility>
#include <vector>

#include "base/result.h"
#include "wire/endpoint.h"

namespace modelmill::wire {

/// A socket that listens. Its end closes it, and removes the file of a unix socket unless that is another's by then.
class ListeningSocket {
 public:
  /// Resolves, binds and listens, on every address of a name, all with one port. A unix socket's file gets mode 0660;
  /// one that a dead server has left is replaced. The message of an error names the endpoint and says what to do. With
  /// `ipv6_only` an IPv6 socket leaves IPv4 alone.
  static Result<std::vector<ListeningSocket>> open(const Endpoint& endpoint, bool ipv6_only);

  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&& other) noexcept;
  ~ListeningSocket() { close(); }

  int fd() const { return fd_; }
  /// What was asked for, with the port in fact bound.
  const Endpoint& endpoint() const { return endpoint_; }
  void close();

 private:
  ListeningSocket(int fd, Endpoint endpoint) : fd_(fd), endpoint_(std::move(endpoint)) {}
  static Result<ListeningSocket> open_tcp(const Endpoint& endpoint, const addrinfo& address, bool ipv6_only);
  static Result<std::vector<ListeningSocket>> open_all(const Endpoint& endpoint, const addrinfo* addresses,
                                                       bool ipv6_only);
  static Result<ListeningSocket> open_unix(const Endpoint& endpoint);

  int fd_ = -1;
  Endpoint endpoint_;
  dev_t file_device_ = 0;
  ino_t file_inode_ = 0;
};

}  // namespace modelmill::wire
