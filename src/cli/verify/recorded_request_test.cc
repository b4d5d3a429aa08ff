#include "cli/verify/recorded_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(RecordedRequest, LinesOfJson) {
  const auto requests = read_requests(
      "{\"path\": \"/v2/health/ready\"}\n\n"
      "{\"path\": \"/v1/models/m:predict?a=b\", \"body\": {\"instances\": [1.50, 2]}, \"headers\": {\"X-User\": "
      "\"7\"}}\r\n"
      "{\"method\": \"PUT\", \"path\": \"/a\", \"body\": \"text\"}\n"
      "{\"path\": \"/b\", \"body_base64\": \"AAE=\", \"headers\": {\"Content-Type\": \"application/octet-stream\"}}",
      "r.jsonl");
  ASSERT_TRUE(requests.ok()) << requests.status().message();
  ASSERT_EQ(requests->size(), 4u);
  EXPECT_EQ((*requests)[0].method, "GET");
  EXPECT_THAT((*requests)[0].headers, IsEmpty());
  EXPECT_EQ((*requests)[1].place, "r.jsonl:3");
  EXPECT_EQ((*requests)[1].method, "POST");
  EXPECT_EQ((*requests)[1].path, "/v1/models/m:predict?a=b");
  EXPECT_EQ((*requests)[1].body, "{\"instances\":[1.5,2]}");
  EXPECT_THAT((*requests)[1].headers, ElementsAre(Pair("x-user", "7"), Pair("content-type", "application/json")));
  EXPECT_EQ((*requests)[2].method, "PUT");
  EXPECT_EQ((*requests)[2].body, "text");
  EXPECT_THAT((*requests)[2].headers, IsEmpty());
  EXPECT_EQ((*requests)[3].body, std::string("\0\1", 2));
  EXPECT_THAT((*requests)[3].headers, ElementsAre(Pair("content-type", "application/octet-stream")));
}

TEST(RecordedRequest, HarWithoutWhatBelongsToAConnection) {
  const auto requests = read_requests(R"({"log": {"entries": [
      {"request": {"method": "POST", "url": "https://old:8000/v2/models/m/infer?x=1#top",
        "headers": [{"name": ":authority", "value": "old"}, {"name": "Host", "value": "old:8000"},
                    {"name": "Content-Length", "value": "3"}, {"name": "Accept-Encoding", "value": "br"},
                    {"name": "Content-Type", "value": "text/plain"}],
        "postData": {"mimeType": "text/plain", "text": "abc"}}},
      {"request": {"method": "GET", "url": "http://old", "headers": []}}]}})",
                                      "s.har");
  ASSERT_TRUE(requests.ok()) << requests.status().message();
  ASSERT_EQ(requests->size(), 2u);
  EXPECT_EQ((*requests)[0].path, "/v2/models/m/infer?x=1");
  EXPECT_EQ((*requests)[0].body, "abc");
  EXPECT_THAT((*requests)[0].headers, ElementsAre(Pair("content-type", "text/plain")));
  EXPECT_EQ((*requests)[1].path, "/");
  EXPECT_EQ((*requests)[1].place, "s.har: entry 2");
}

TEST(RecordedRequest, WhatIsWrongHasItsLine) {
  const auto error_of = [](const char* text) { return read_requests(text, "r").status().message(); };
  EXPECT_THAT(error_of("{\"path\": \"/a\"}\n{"), HasSubstr("r:2: it is not JSON"));
  EXPECT_THAT(error_of("{\"path\": \"a\"}"), HasSubstr("r:1: 'path' must begin with '/'"));
  EXPECT_THAT(error_of("{\"path\": \"/a b\"}"), HasSubstr("no blanks"));
  EXPECT_THAT(error_of("{\"path\": \"/a\", \"url\": 1}"), HasSubstr("unknown key 'url'"));
  EXPECT_THAT(error_of("{\"path\": \"/a\", \"body_base64\": \"?\"}"), HasSubstr("not base64"));
  EXPECT_THAT(error_of("{\"path\": \"/a\", \"method\": \"G T\"}"), HasSubstr("'method'"));
  EXPECT_THAT(error_of("{\"path\": \"/a\", \"headers\": {\"x\": \"1\\r\\nb: 2\"}}"), HasSubstr("header 'x'"));
  EXPECT_THAT(error_of("{\"path\": \"/a\", \"headers\": {\"x\": 1}}"), HasSubstr("must be a text"));
  EXPECT_THAT(error_of("7"), HasSubstr("expected an object"));
  EXPECT_THAT(error_of("\n"), HasSubstr("no requests"));
  EXPECT_THAT(error_of("{\"log\": {\"entries\": [{}]}}"), HasSubstr("r: entry 1: the entry has no 'request'"));
}

}  // namespace
}  // namespace modelmill
