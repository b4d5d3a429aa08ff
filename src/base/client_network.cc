#include "base/client_network.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <string>

namespace modelmill {
namespace {

/// The first 12 bytes of an IPv4 address inside of IPv6.
constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr int kMappedBits = 96;

}  // namespace

std::string_view peer_address(std::string_view peer) {
  if (peer.starts_with('[')) return peer.substr(1, peer.find(']') - 1);
  const size_t colon = peer.find(':');
  return colon == peer.rfind(':') ? peer.substr(0, colon) : peer;  // several: an IPv6 address alone
}

bool ClientNetwork::read(std::string_view text, Address& into, bool& is_v4) {
  const std::string terminated(text);
  is_v4 = inet_pton(AF_INET, terminated.c_str(), into.data() + kMapped.size()) == 1;
  if (!is_v4) return inet_pton(AF_INET6, terminated.c_str(), into.data()) == 1;
  std::memcpy(into.data(), kMapped.data(), kMapped.size());
  return true;
}

Result<ClientNetwork> ClientNetwork::parse(std::string_view text) {
  const auto wrong = [text] {
    return invalid_argument("'" + std::string(text) +
                            "' is neither an address nor a network; write 10.1.2.3 or 10.1.0.0/16");
  };
  ClientNetwork network;
  const size_t slash = text.find('/');
  bool is_v4 = false;
  if (!read(text.substr(0, slash), network.address_, is_v4)) return wrong();
  if (slash == std::string_view::npos) return network;
  const std::string_view bits = text.substr(slash + 1);
  const int most = is_v4 ? 32 : 128;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), network.bits_);
  if (error != std::errc() || end != bits.data() + bits.size() || network.bits_ < 0 || network.bits_ > most)
    return wrong();
  if (is_v4) network.bits_ += kMappedBits;
  return network;
}

bool ClientNetwork::contains(std::string_view peer) const {
  Address other{};
  bool is_v4 = false;
  if (!read(peer_address(peer), other, is_v4)) return false;
  const auto whole = static_cast<size_t>(bits_ / 8);
  if (std::memcmp(other.data(), address_.data(), whole) != 0) return false;
  const int rest = bits_ % 8;
  return rest == 0 || ((other[whole] ^ address_[whole]) >> (8 - rest)) == 0;
}

}  // namespace modelmill
