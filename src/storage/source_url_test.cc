#include "storage/source_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using testing::HasSubstr;
using Kind = SourceUrl::Kind;

TEST(ParseSourceUrl, KnowsWhatEachPlatformWrites) {
  struct Case {
    const char* text;
    Kind kind;
    const char* account;
    const char* bucket;
    const char* key;
    const char* name;
  };
  for (const Case& c :
       {Case{"s3://models", Kind::kS3, "", "models", "", "models"},
        Case{"s3://models/a/ocr/", Kind::kS3, "", "models", "a/ocr", "ocr"},
        Case{"s3://models/a b/m.onnx", Kind::kS3, "", "models", "a b/m.onnx", "m.onnx"},
        Case{"s3://host:9000/models/ocr", Kind::kS3, "http://host:9000", "models", "ocr", "ocr"},
        Case{"s3://http://host:9000/models/ocr", Kind::kS3, "http://host:9000", "models", "ocr", "ocr"},
        Case{"s3://https://host:9000/models", Kind::kS3, "https://host:9000", "models", "", "models"},
        Case{"gs://models/ocr", Kind::kGcs, "", "models", "ocr", "ocr"},
        Case{"as://acc/models/ocr/1", Kind::kAzure, "acc", "models", "ocr/1", "1"},
        Case{"as://acc.blob.core.windows.net/models", Kind::kAzure, "acc", "models", "", "models"},
        Case{"https://acc.blob.core.windows.net/models/a%20b?sv=1&sig=x", Kind::kAzure, "acc", "models", "a b", "a b"},
        Case{"wasbs://models@acc.blob.core.windows.net/ocr", Kind::kAzure, "acc", "models", "ocr", "ocr"},
        Case{"abfss://models@acc.dfs.core.windows.net/ocr", Kind::kAzure, "acc", "models", "ocr", "ocr"},
        Case{"http://host/a/m.onnx", Kind::kHttp, "", "", "", "m.onnx"},
        Case{"https://host/o/a%2Fm.onnx", Kind::kHttp, "", "", "", "m.onnx"},
        Case{"https://host/a/m%20n.onnx?x=1#sha256="
             "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
             Kind::kHttp, "", "", "", "m n.onnx"}}) {
    const auto url = parse_source_url(c.text);
    ASSERT_TRUE(url.ok()) << c.text << ": " << url.status().to_string();
    EXPECT_EQ(url->kind, c.kind) << c.text;
    EXPECT_EQ(url->account, c.account) << c.text;
    EXPECT_EQ(url->bucket, c.bucket) << c.text;
    EXPECT_EQ(url->key, c.key) << c.text;
    EXPECT_EQ(url->name(), c.name) << c.text;
  }
}

TEST(ParseSourceUrl, SaysWhatIsWrong) {
  struct Case {
    const char* text;
    const char* why;
  };
  for (const Case& c : {Case{"/models/ocr", "no scheme"},
                        Case{"ftp://host/m.onnx", "scheme 'ftp'"},
                        Case{"file:///etc", "scheme 'file'"},
                        Case{"s3://", "not the name of a bucket"},
                        Case{"s3://a b/x", "not the name of a bucket"},
                        Case{"s3://../x", "not the name of a bucket"},
                        Case{"s3://b/../x", "'.' or '..'"},
                        Case{"s3://b//x", "an empty part"},
                        Case{"s3://http://host/b", "HOST:PORT"},
                        Case{"s3://h:x/b", "not a port"},
                        Case{"as://acc", "not the name of a bucket"},
                        Case{"as:///c", "as://ACCOUNT"},
                        Case{"wasbs://acc.blob.core.windows.net/c", "CONTAINER@ACCOUNT"},
                        Case{"wasbs://c@evil.example/x", "no host of Azure's"},
                        Case{"http://host/models/", "can't list a folder"},
                        Case{"http://host", "can't list a folder"},
                        Case{"http://u:p@host/m", "a user"},
                        Case{"http://host/a/../m", "'.' or '..'"},
                        Case{"http://host/a/%2e%2E/m", "'.' or '..'"},
                        Case{"http://host/a%2f..%2fb", "'.' or '..'"},
                        Case{"http://host/m#md5=1", "only sha256="},
                        Case{"http://host/m#sha256=12", "64 hexadecimal"},
                        Case{"http://host/a b", "space"}}) {
    const auto url = parse_source_url(c.text);
    ASSERT_FALSE(url.ok()) << c.text;
    EXPECT_EQ(url.status().code(), Code::kInvalidArgument);
    EXPECT_THAT(url.status().message(), HasSubstr(c.why)) << c.text;
  }
}

TEST(ParseSourceUrl, ShowsNoSecrets) {
  const auto url = parse_source_url("https://host/m.onnx?X-Amz-Signature=secret");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->shown, "https://host/m.onnx");
  const auto wrong = parse_source_url("https://host/../m?X-Amz-Signature=secret");
  EXPECT_THAT(wrong.status().message(), Not(HasSubstr("secret")));
}

TEST(IsRemoteUrl, PathsAreNone) {
  for (const char* url : {"s3://b", "gs://b", "https://h/x", "unknown+x://y"}) EXPECT_TRUE(is_remote_url(url)) << url;
  for (const char* path : {"", "model.onnx", "/a://b", "./s3://x", "://x", "c:\\m", "1s://x"})
    EXPECT_FALSE(is_remote_url(path)) << path;
}

TEST(CheckAllowedUrl, APrefixEndsWhereAPartDoes) {
  const std::vector<std::string> prefixes{"s3://models", "https://host/ok/", ""};
  for (const char* url : {"s3://models", "s3://models/ocr", "https://host/ok/m.onnx"})
    EXPECT_TRUE(check_allowed_url(url, prefixes).ok()) << url;
  for (const char* url :
       {"s3://models-of-others/ocr", "s3://model", "https://host/okay", "https://host.evil/ok/m", ""}) {
    const Status status = check_allowed_url(url, prefixes);
    EXPECT_EQ(status.code(), Code::kPermissionDenied) << url;
    EXPECT_THAT(status.message(), HasSubstr("--allow-model-url"));
  }
  EXPECT_FALSE(check_allowed_url("s3://models", {}).ok());
}

}  // namespace
}  // namespace modelmill
