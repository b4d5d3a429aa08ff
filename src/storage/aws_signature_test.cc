#include "storage/aws_signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

const UtcTime kNow = *utc_of_iso("2026-01-31T12:00:05Z");
const AwsCredentials kKeys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};

std::string authorization(WebRequest request, const AwsCredentials& credentials, const AwsScope& scope) {
  sign_aws_request(request, credentials, scope, kNow);
  for (const auto& [name, value] : request.headers)
    if (name == "Authorization") return value;
  return {};
}

WebRequest request_of(const char* method, const char* url, HttpClient::Headers headers = {}) {
  return {parse_web_url(url).value(), method, std::move(headers)};
}

// The signatures are botocore's for the same requests.
TEST(SignAwsRequest, SignsAsBotocoreDoes) {
  EXPECT_EQ(authorization(request_of("GET",
                                     "https://bucket.s3.eu-central-1.amazonaws.com/"
                                     "?list-type=2&max-keys=1000&prefix=models%2Focr%2F"),
                          kKeys, {"eu-central-1"}),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/eu-central-1/s3/aws4_request, "
            "SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
            "Signature=13affb011c28ab55fb1c6322e60946eb110ffe7b240cbde01127744b28968aea");
  AwsCredentials session = kKeys;
  session.session_token = "session/token+==";
  const std::string with_token =
      authorization(request_of("GET", "http://127.0.0.1:9000/bucket/a%20b/%C3%A9~%281%29.onnx",
                               {{"Range", "bytes=0-99"}, {"If-Match", "\"abc\""}}),
                    session, {"us-east-1"});
  EXPECT_THAT(with_token, HasSubstr("host;if-match;range;x-amz-content-sha256;x-amz-date;x-amz-security-token, "));
  EXPECT_THAT(with_token, EndsWith("Signature=0ae0414de65da5afa85fcfc5017d84e5e2d0b7efab06a334b8879b69532acc73"));
  EXPECT_THAT(authorization(request_of("HEAD", "https://s3.cn-north-1.amazonaws.com.cn/my.bucket/x",
                                       {{"x-amz-checksum-mode", "ENABLED"}}),
                            kKeys, {"cn-north-1"}),
              EndsWith("Signature=d9cd5d4709a2e4683221bca88baddeadd94b230ea21f3d18ec10c882829e38c9"));
}

TEST(SignAwsRequest, TheOrderOfAQueryDoesNotMatter) {
  EXPECT_EQ(authorization(request_of("GET", "https://h/?b=2&a=1&a-b=3&c"), kKeys, {"r"}),
            authorization(request_of("GET", "https://h/?c=&a-b=3&a=1&b=2"), kKeys, {"r"}));
}

}  // namespace
}  // namespace modelmill
