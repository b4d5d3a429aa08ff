#include "base/client_network.h"

#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

TEST(ClientNetwork, HasItsAddresses) {
  struct Case {
    const char *network, *peer;
    bool contains;
  };
  const Case cases[] = {
      {"10.1.2.3", "10.1.2.3:80", true},
      {"10.1.2.3", "10.1.2.4:80", false},
      {"10.1.0.0/16", "10.1.255.1", true},
      {"10.1.0.0/16", "10.2.0.1:1", false},
      {"10.1.0.0/15", "10.0.7.7:1", true},
      {"10.1.0.0/15", "10.2.0.1:1", false},
      {"0.0.0.0/0", "1.2.3.4:5", true},
      {"0.0.0.0/0", "[2001:db8::1]:5", false},
      {"10.1.0.0/16", "[::ffff:10.1.2.3]:80", true},
      {"::1", "[::1]:80", true},
      {"2001:db8::/32", "2001:db8:7::1", true},
      {"2001:db8::/32", "[2001:db9::1]:80", false},
      {"::/0", "unix", false},
      {"::/0", "", false},
  };
  for (const Case& c : cases)
    EXPECT_EQ(ClientNetwork::parse(c.network).value().contains(c.peer), c.contains) << c.network << " " << c.peer;
}

TEST(ClientNetwork, WhatIsNoneIsRefused) {
  for (const char* text : {"", "10.1", "10.1.2.3/33", "10.1.2.3/-1", "10.1.2.3/", "10.1.2.3/x", "::/129", "host", "/8"})
    EXPECT_FALSE(ClientNetwork::parse(text).ok()) << text;
}

}  // namespace
}  // namespace modelmill
