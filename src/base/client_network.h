#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// An address, or a network of them: "10.1.0.0/16", "2001:db8::/32", "127.0.0.1". A value.
class ClientNetwork {
 public:
  static Result<ClientNetwork> parse(std::string_view text);

  /// `peer` is an address with or without its port: "10.1.2.3:4711", "[::1]:80". An IPv4 address inside of IPv6 is the
  /// IPv4 address. False for what is no address, such as the peer of a unix socket.
  bool contains(std::string_view peer) const;

 private:
  using Address = std::array<uint8_t, 16>;

  static bool read(std::string_view text, Address& into, bool& is_v4);

  Address address_{};
  int bits_ = 128;
};

/// The address of a peer, without its port and brackets.
std::string_view peer_address(std::string_view peer);

}  // namespace modelmill
