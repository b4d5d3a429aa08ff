#include "client/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/percent_text.h"

namespace modelmill {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ParseBaseUrl, ReadsWhatPeopleWrite) {
  struct Case {
    const char* text;
    const char* normal;
  };
  for (const Case& c :
       {Case{"http://127.0.0.1:8000", "http://127.0.0.1:8000"}, Case{"http://127.0.0.1:8000/", "http://127.0.0.1:8000"},
        Case{"http://models.example", "http://models.example:80"},
        Case{"http://models.example/a/b/", "http://models.example:80/a/b"}, Case{"localhost", "http://localhost:8000"},
        Case{"localhost:9", "http://localhost:9"}, Case{"http://[::1]:8001", "http://[::1]:8001"},
        Case{"[::1]", "http://[::1]:8000"}, Case{"https://box", "https://box:443"},
        Case{"https://[::1]:8443/a/", "https://[::1]:8443/a"}, Case{"unix:/run/m.sock", "unix:/run/m.sock"},
        Case{"unix:///run/m.sock", "unix:/run/m.sock"}, Case{"unix:m.sock", "unix:m.sock"}}) {
    const Result<BaseUrl> url = parse_base_url(c.text);
    ASSERT_TRUE(url.ok()) << c.text << ": " << url.status().to_string();
    EXPECT_EQ(url->text(), c.normal) << c.text;
  }
}

TEST(ParseBaseUrl, SaysWhatIsWrong) {
  struct Case {
    const char* text;
    const char* why;
  };
  for (const Case& c :
       {Case{"", "names no host"}, Case{"http://", "names no host"}, Case{"ftp://x", "scheme 'ftp'"},
        Case{"unix:", "path is missing"}, Case{"http://x:0", "'0' is not a port"},
        Case{"http://x:70000", "'70000' is not a port"}, Case{"http://x:8o", "'8o' is not a port"},
        Case{"http://x:", "port is missing"}, Case{"http://[::1", "'[' without ']'"}, Case{"http://[::1]8", "':PORT'"},
        Case{"http://u:p@x", "a user"}, Case{"http://x/?q=1", "a query"}, Case{"http://::1:80", "names no host"},
        Case{"x y", "a space"}, Case{"http://x/a\r\nb", "a control character"}, Case{"http://x/\x7f", "a control"},
        Case{"x\t", "a control character"}, Case{"http://a$b", "not a host name"}}) {
    const Result<BaseUrl> url = parse_base_url(c.text);
    ASSERT_FALSE(url.ok()) << c.text;
    EXPECT_EQ(url.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(url.status().message(), HasSubstr(c.why)) << c.text;
  }
}

TEST(ParseBaseUrl, TellsNoSecrets) {
  const struct {
    const char* text;
    const char* shown;
  } cases[] = {
      {"http://u:pass@x/p", "http://...@x/p"},
      {"u:pass@x", "...@x"},
      {"http://u:pa/ss@x", "http://...@x"},
      {"http://u:p@ss@x", "http://...@x"},
      {"http://x/p?key=pass", "http://x/p?..."},
      {"http://x/p#pass", "http://x/p#..."},
      {"http://u:pa?ss@x", "http://...@x"},
      {"http://x/\x1b[31m", "http://x/?[31m"},
      {"http://x/p", "http://x/p"},
      {"ftp://u:pass@x", "ftp://...@x"},
  };
  for (const auto& one : cases) EXPECT_EQ(without_secrets(one.text), one.shown);
  EXPECT_THAT(parse_base_url("http://u:pass@x").status().message(),
              AllOf(HasSubstr("'http://...@x'"), Not(HasSubstr("pass"))));
  EXPECT_THAT(parse_base_url("ftp://u:pass@x").status().message(), Not(HasSubstr("pass")));
}

TEST(BaseUrl, TheHostHeaderHasNoPortThatGoesWithoutSaying) {
  EXPECT_EQ(parse_base_url("http://h").value().host_header(), "h");
  EXPECT_EQ(parse_base_url("https://[::1]").value().host_header(), "[::1]");
  EXPECT_EQ(parse_base_url("https://h:80").value().host_header(), "h:80");
  EXPECT_EQ(parse_base_url("h:8000").value().host_header(), "h:8000");
}

TEST(PercentEncode, LeavesOnlyUnreservedCharacters) {
  EXPECT_EQ(percent_encode("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(percent_encode("a/b c\xC3\xA9%"), "a%2Fb%20c%C3%A9%25");
}

}  // namespace
}  // namespace modelmill
