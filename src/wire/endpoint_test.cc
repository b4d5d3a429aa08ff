#include "wire/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace modelmill::wire {
namespace {

using ::testing::HasSubstr;
using Scheme = Endpoint::Scheme;

TEST(ParseEndpoint, ReadsEveryForm) {
  struct Case {
    const char* text;
    Endpoint expected;
    const char* url;
  };
  const Case cases[] = {
      {"127.0.0.1:8000", {Scheme::kAny, "127.0.0.1", 8000, ""}, "http://127.0.0.1:8000"},
      {"0.0.0.0:80", {Scheme::kAny, "0.0.0.0", 80, ""}, "http://0.0.0.0:80"},
      {"localhost:0", {Scheme::kAny, "localhost", 0, ""}, "http://localhost:0"},
      {"[::1]:8000", {Scheme::kAny, "::1", 8000, ""}, "http://[::1]:8000"},
      {"[::]:65535", {Scheme::kAny, "::", 65535, ""}, "http://[::]:65535"},
      {"http://box:1", {Scheme::kHttp, "box", 1, ""}, "http://box:1"},
      {"https://[fe80::1]:443", {Scheme::kHttps, "fe80::1", 443, ""}, "https://[fe80::1]:443"},
      {"unix:/run/modelmill.sock", {Scheme::kAny, "", 0, "/run/modelmill.sock"}, "unix:/run/modelmill.sock"},
      {"unix:///run/m.sock", {Scheme::kAny, "", 0, "/run/m.sock"}, "unix:/run/m.sock"},
      {"unix:m.sock", {Scheme::kAny, "", 0, "m.sock"}, "unix:m.sock"},
  };
  for (const Case& c : cases) {
    const Result<Endpoint> read = parse_endpoint(c.text);
    ASSERT_TRUE(read.ok()) << c.text << ": " << read.status().to_string();
    EXPECT_EQ(*read, c.expected) << c.text;
    EXPECT_EQ(url_text(*read), c.url);
    EXPECT_EQ(*parse_endpoint(address_text(*read)), (Endpoint{Scheme::kAny, read->host, read->port, read->path}));
  }
}

TEST(ParseEndpoint, SaysWhatIsWrong) {
  const std::string longest(107, 'p');
  ASSERT_TRUE(parse_endpoint("unix:" + longest).ok());
  const std::pair<std::string, const char*> cases[] = {
      {"", "the port is missing"},
      {"8000", "the port is missing"},
      {"127.0.0.1", "the port is missing"},
      {"[::1]", "the port is missing"},
      {":8000", "the host is missing"},
      {"::1:8000", "stands in brackets"},
      {"[::1:8000", "not closed"},
      {"[]:8000", "not closed"},
      {"a:", "'' is no port"},
      {"a:65536", "'65536' is no port"},
      {"a:-1", "'-1' is no port"},
      {"a:80/", "'80/' is no port"},
      {"ftp://a:80", "the schemes are"},
      {"https://unix:/x", "is plain and has no scheme"},
      {"unix:", "the path is missing"},
      {"unix:" + longest + "p", "has 108 bytes, and a unix socket's may have 107"},
  };
  for (const auto& [text, why] : cases) {
    const Result<Endpoint> read = parse_endpoint(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(read.status().message(), HasSubstr("'" + text + "' is no address to listen on: ")) << text;
    EXPECT_THAT(read.status().message(), HasSubstr(why)) << text;
  }
}

}  // namespace
}  // namespace modelmill::wire
