#include "otlp/export_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(SetCollector, TakesUrlsAndPlaces) {
  const struct {
    const char* url;
    const char* server;
    const char* path;
  } cases[] = {
      {"http://collector:4318", "http://collector:4318", "/v1/traces"},
      {"http://collector:4318/", "http://collector:4318", "/v1/traces"},
      {"https://api.example/otlp/v1/traces", "https://api.example:443", "/otlp/v1/traces"},
      {"localhost:4000/v1/traces", "http://localhost:4000", "/v1/traces"},
      {"localhost/x/", "http://localhost:4318", "/x"},
      {"collector", "http://collector:4318", "/v1/traces"},
      {"[::1]", "http://[::1]:4318", "/v1/traces"},
      {"[::1]:99/a", "http://[::1]:99", "/a"},
  };
  for (const auto& [url, server, path] : cases) {
    ExportOptions options;
    ASSERT_TRUE(set_collector(url, options).ok()) << url;
    EXPECT_EQ(options.server.text(), server) << url;
    EXPECT_EQ(options.path, path) << url;
  }
}

TEST(SetCollector, RefusesOthers) {
  for (const char* url : {"", "unix:/run/collector", "ftp://x", "http://", "http://a b", "http://x:port", "x?y"}) {
    ExportOptions options;
    EXPECT_EQ(set_collector(url, options).code(), Code::kInvalidArgument) << url;
    EXPECT_EQ(options.server.text(), ExportOptions().server.text()) << url;
  }
}

}  // namespace
}  // namespace modelmill
