#include "dialect/header_forwarding.h"

#include <gtest/gtest.h>

#include <map>

namespace modelmill {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct NoSink : ResponseSink {
  void on_response(InferResponse, bool, bool) override {}
};

/// What a request with these headers has as parameters; an error's message is under "".
std::map<std::string, std::string> forwarded(const std::string& pattern, const Headers& headers,
                                             const std::vector<std::string>& sent_names = {}) {
  InferRequest request(std::make_shared<NoSink>());
  const auto forwarding = HeaderForwarding::parse(pattern);
  std::map<std::string, std::string> out;
  const Status status = forwarding.ok() ? forwarding->apply(headers, request, sent_names) : forwarding.status();
  if (!status.ok()) out[""] = status.message();
  for (const auto& [name, value] : request.parameters) out[name] = std::get<std::string>(value);
  request.finish();
  return out;
}

using Forwarded = std::map<std::string, std::string>;

TEST(HeaderForwarding, GivesWhatMatches) {
  const Headers headers{{"x-user", "ann"}, {"content-type", "application/json"}, {"my-x-tag", R"(a "b")"}};
  EXPECT_EQ(forwarded("^x-", headers), (Forwarded{{"x-user", "ann"}}));
  EXPECT_EQ(forwarded("x-.*", headers), (Forwarded{{"x-user", "ann"}, {"my-x-tag", R"(a "b")"}}));
  EXPECT_EQ(forwarded("X-User", headers), (Forwarded{{"x-user", "ann"}}));
  EXPECT_EQ(forwarded("(?i)X-USER|content-type", headers),
            (Forwarded{{"x-user", "ann"}, {"content-type", "application/json"}}));
  EXPECT_EQ(forwarded("nothing", headers), Forwarded{});
}

TEST(HeaderForwarding, NamesAreAsTheyWereSent) {
  const Headers headers{{"x-user", "ann"}, {"x-tag", "b"}, {"timeout", "5"}};
  EXPECT_EQ(forwarded("^x-|timeout", headers, {"X-User", "x-TAG", "Timeout"}),
            (Forwarded{{"X-User", "ann"}, {"x-TAG", "b"}, {"Timeout", "5"}}));
  EXPECT_EQ(forwarded("(?-i)^X-", headers, {"X-User", "x-TAG", "Timeout"}), (Forwarded{{"X-User", "ann"}}));
  EXPECT_EQ(forwarded("(?-i)^x-", headers), (Forwarded{{"x-user", "ann"}, {"x-tag", "b"}}));
  EXPECT_EQ(forwarded("(?-i)^X-", headers), Forwarded{});
}

TEST(HeaderForwarding, RefusesWhatMeansSomethingElse) {
  for (const char* name : {"priority", "timeout", "sequence_id", "triton_x", "signature_name", "modelmill_request"})
    EXPECT_EQ(forwarded(".*", {{name, "1"}})[""].find("Header '" + std::string(name) + "' is reserved"), 0U) << name;
  EXPECT_EQ(forwarded("^x-", {{"priority", "1"}, {"x-a", "2"}}), (Forwarded{{"x-a", "2"}}));
}

TEST(HeaderForwarding, PatternsThatAreNone) {
  EXPECT_NE(forwarded("x-(", {})[""].find("'x-(' is no regular expression"), std::string::npos);
}

TEST(HeaderForwarding, LongNamesAreLeftOut) { EXPECT_EQ(forwarded("x", {{std::string(300, 'x'), "1"}}), Forwarded{}); }

}  // namespace
}  // namespace modelmill
