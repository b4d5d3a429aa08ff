#include "storage/web_url.h"

#include <gtest/gtest.h>

#include "storage/proxy_choice.h"
#include "storage/redirect_rule.h"

namespace modelmill {
namespace {

TEST(ResolveLocation, MeansWhatRfc3986Says) {
  const WebUrl from = parse_web_url("https://h:8443/a/b?q=1").value();
  struct Case {
    const char* location;
    const char* meaning;
  };
  for (const Case& c :
       {Case{"http://o/x?y=1#z", "http://o:80/x?y=1"}, Case{"//o/x", "https://o:443/x"}, Case{"/x", "https://h:8443/x"},
        Case{"c", "https://h:8443/a/c"}, Case{"?z=2", "https://h:8443/a/b?z=2"},
        Case{"/x?u=http://o/", "https://h:8443/x?u=http://o/"}}) {
    const auto url = resolve_location(from, c.location);
    ASSERT_TRUE(url.ok()) << c.location << ": " << url.status().to_string();
    EXPECT_EQ(url->base.text() + url->target(), c.meaning) << c.location;
  }
  for (const char* wrong :
       {"file:///etc/passwd", "file:/etc/passwd", "ftp://o/x", "javascript:x", "http://u@o/", "../x"})
    EXPECT_FALSE(resolve_location(from, wrong).ok()) << wrong;
}

TEST(CheckRedirect, NeverLeadsNearerOrOutOfHttps) {
  struct Case {
    const char* from;
    const char* to;
    bool allowed;
  };
  for (const Case& c :
       {Case{"http://8.8.8.8/", "http://8.8.4.4/", true}, Case{"http://8.8.8.8/", "https://8.8.4.4/", true},
        Case{"https://8.8.8.8/", "http://8.8.8.8/", false}, Case{"http://8.8.8.8/", "http://127.0.0.1/", false},
        Case{"http://8.8.8.8/", "http://[::1]/", false}, Case{"http://8.8.8.8/", "http://[::ffff:127.0.0.1]/", false},
        Case{"http://8.8.8.8/", "http://0.0.0.0/", false}, Case{"http://8.8.8.8/", "http://169.254.169.254/", false},
        Case{"http://8.8.8.8/", "http://10.1.2.3/", false}, Case{"http://8.8.8.8/", "http://172.16.0.1/", false},
        Case{"http://8.8.8.8/", "http://172.32.0.1/", true}, Case{"http://8.8.8.8/", "http://192.168.1.1/", false},
        Case{"http://8.8.8.8/", "http://100.64.0.1/", false}, Case{"http://8.8.8.8/", "http://[fd00::1]/", false},
        Case{"http://10.0.0.1/", "http://10.0.0.2/", true}, Case{"http://10.0.0.1/", "http://127.0.0.1/", false},
        Case{"http://127.0.0.1/", "http://127.0.0.1:1/", true}, Case{"http://127.0.0.1/", "http://8.8.8.8/", true}}) {
    const Status status = check_redirect(parse_web_url(c.from).value(), parse_web_url(c.to).value());
    EXPECT_EQ(status.ok(), c.allowed) << c.from << " -> " << c.to << ": " << status.to_string();
  }
}

TEST(PercentDecode, LeavesWhatIsNoCode) {
  EXPECT_EQ(percent_decode("a%20b%C3%A9%2"), "a b\xC3\xA9%2");
  EXPECT_EQ(percent_decode("%zz%"), "%zz%");
  EXPECT_EQ(percent_encode_path("/a b/c+d"), "/a%20b/c%2Bd");
}

Environment environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  };
}

TEST(ChooseProxy, ReadsTheEnvironmentAsCurlDoes) {
  const auto env = environment({{"http_proxy", "http://u:p%40@proxy:3128"},
                                {"HTTPS_PROXY", "secure:8080"},
                                {"HTTP_PROXY", "http://never:1"},
                                {"no_proxy", "localhost, .internal,10.0.0.1,port.example:8080,::1"}});
  const auto proxy_of = [&](const char* server) {
    const auto choice = choose_proxy(parse_base_url(server).value(), env);
    return choice.ok() && !choice->url.host.empty() ? choice->url.authority() : std::string("none");
  };
  EXPECT_EQ(proxy_of("http://example.com"), "proxy:3128");
  EXPECT_EQ(proxy_of("https://example.com"), "secure:8080");
  for (const char* exempt : {"http://localhost:5", "http://a.internal", "https://internal", "http://10.0.0.1",
                             "http://port.example:8080", "http://[::1]:9", "http://169.254.169.254"})
    EXPECT_EQ(proxy_of(exempt), "none") << exempt;
  EXPECT_EQ(proxy_of("http://port.example"), "proxy:3128");
  EXPECT_EQ(proxy_of("http://notinternal"), "proxy:3128");
  EXPECT_EQ(choose_proxy(parse_base_url("http://x").value(), env)->credentials, "Basic dTpwQA==");
  EXPECT_FALSE(choose_proxy(parse_base_url("http://x").value(), environment({{"all_proxy", "socks5://x:1"}})).ok());
}

}  // namespace
}  // namespace modelmill
