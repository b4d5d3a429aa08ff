#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <functional>
#include <string>

namespace modelmill {

using Addresses = boost::asio::ip::tcp::resolver::results_type;

/// Looks up the addresses of a host, for as long as the system lets it.
using Resolve = std::function<Addresses(const std::string& host, const std::string& port, boost::system::error_code&)>;
Addresses ask_system(const std::string& host, const std::string& port, boost::system::error_code& error);

/// The addresses of a host, which may be an address itself. It ends with asio::error::operation_aborted soon after
/// `cancelled` is set; null: nothing ends it. Nothing ends what the system does either, so with `cancelled` it is done
/// by a thread that nobody waits for: one that has nothing but what it was given.
Addresses look_up(const std::string& host, uint16_t port, const std::atomic<bool>* cancelled,
                  boost::system::error_code& error, const Resolve& resolve = ask_system);

}  // namespace modelmill
