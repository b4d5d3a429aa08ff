#include "storage/redirect_rule.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace modelmill {
namespace {

namespace ip = boost::asio::ip;

int nearness_of_v4(const ip::address_v4& address) {
  const uint32_t bits = address.to_uint();
  if (address.is_loopback() || bits >> 24 == 0) return 2;
  const bool is_private = bits >> 24 == 10 || bits >> 20 == 0xAC1 || bits >> 16 == 0xC0A8 || bits >> 16 == 0xA9FE ||
                          bits >> 22 == 0x191;  // 10/8, 172.16/12, 192.168/16, 169.254/16, 100.64/10
  return is_private ? 1 : 0;
}

int nearness_of_address(const ip::address& address) {
  if (address.is_v4()) return nearness_of_v4(address.to_v4());
  const ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return nearness_of_v4(ip::make_address_v4(ip::v4_mapped, v6));
  if (v6.is_loopback() || v6.is_unspecified()) return 2;
  return v6.is_link_local() || (v6.to_bytes()[0] & 0xFE) == 0xFC ? 1 : 0;
}

}  // namespace

int nearness_of_host(const std::string& host) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(host, error);
  if (!error) return nearness_of_address(address);
  boost::asio::io_context context;
  ip::tcp::resolver resolver(context);
  int nearest = 0;
  for (const auto& entry : resolver.resolve(host, "", error))
    nearest = std::max(nearest, nearness_of_address(entry.endpoint().address()));
  return nearest;
}

Status check_redirect(const WebUrl& from, const WebUrl& to) {
  const auto refused = [&](const char* why) {
    return Status(Code::kPermissionDenied,
                  "the redirect from '" + from.shown() + "' to '" + to.shown() + "' is not followed: " + why);
  };
  if (from.base.tls && !to.base.tls) return refused("it leaves https");
  if (from.base.host != to.base.host && nearness_of_host(to.base.host) > nearness_of_host(from.base.host))
    return refused("it leads into a nearer network than it comes from; name that URL itself if it is meant");
  return ok_status();
}

}  // namespace modelmill
