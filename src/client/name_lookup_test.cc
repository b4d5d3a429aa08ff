#include "client/name_lookup.h"

#include <gtest/gtest.h>

#include <boost/asio/error.hpp>
#include <future>
#include <memory>
#include <thread>

namespace modelmill {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

Addresses one_address(const std::string& host, const std::string& port) {
  return Addresses::create(tcp::endpoint(boost::asio::ip::address_v4::loopback(), 7), host, port);
}

TEST(LookUp, AnAddressNeedsNone) {
  const std::atomic<bool> go_on{false};
  const Resolve fails = [](const std::string&, const std::string&, error_code& error) {
    error = boost::asio::error::host_not_found;
    return Addresses();
  };
  for (const char* address : {"127.0.0.1", "::1"}) {
    error_code error;
    const Addresses found = look_up(address, 80, &go_on, error, fails);
    ASSERT_FALSE(error) << address;
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.begin()->endpoint().address().to_string(), address);
    EXPECT_EQ(found.begin()->endpoint().port(), 80);
  }
  error_code error;
  look_up("nobody", 80, &go_on, error, fails);
  EXPECT_EQ(error, boost::asio::error::host_not_found);
}

TEST(LookUp, IsTheSameWhetherItCanBeCancelled) {
  const std::atomic<bool> go_on{false};
  const Resolve resolve = [](const std::string& host, const std::string& port, error_code&) {
    return one_address(host, port);
  };
  for (const std::atomic<bool>* cancelled : {static_cast<const std::atomic<bool>*>(nullptr), &go_on}) {
    error_code error;
    const Addresses found = look_up("host", 80, cancelled, error, resolve);
    ASSERT_FALSE(error);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.begin()->host_name(), "host");
    EXPECT_EQ(found.begin()->service_name(), "80");
  }
}

TEST(LookUp, OneThatHangsEndsWhenItIsCancelled) {
  struct Hanging {
    std::promise<void> begun, released, over;
  };
  const auto hanging = std::make_shared<Hanging>();
  const Resolve resolve = [hanging](const std::string& host, const std::string& port, error_code&) {
    hanging->begun.set_value();
    hanging->released.get_future().wait();
    hanging->over.set_value();
    return one_address(host, port);
  };
  std::atomic<bool> cancelled{false};
  error_code error;
  std::thread waiting([&] { look_up("host", 80, &cancelled, error, resolve); });
  hanging->begun.get_future().wait();
  cancelled = true;
  waiting.join();
  EXPECT_EQ(error, boost::asio::error::operation_aborted);
  hanging->released.set_value();
  hanging->over.get_future().wait();
}

}  // namespace
}  // namespace modelmill
