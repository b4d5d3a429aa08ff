#include "dialect/torchserve/form_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill::torchserve {
namespace {

using ::testing::HasSubstr;

constexpr const char* kType = "multipart/form-data; boundary=\"x\"";

std::string read(const std::string& body, const char* type = kType) {
  const auto fields = read_form(Bytes::copy_of(body), type);
  if (!fields.ok()) return fields.status().message();
  std::string text;
  for (const Field& field : *fields)
    text += field.name + "|" + field.content_type + "|" + std::string(field.value.view()) + ";";
  return text;
}

TEST(FormFields, ReadsMultipart) {
  EXPECT_EQ(
      read("--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\ncontent-type: text/csv\r\n\r\n1\r\n2"
           "\r\n--x\r\nContent-Disposition: form-data; filename=f; name=b\r\n\r\n\r\n--x--\r\n"),
      "a|text/csv|1\r\n2;b||;");
  EXPECT_EQ(read("preamble\r\n--x\r\nContent-Disposition: form-data; name=\"q\\\"uote\"\r\n\r\nv\r\n--x--"),
            "q\"uote||v;");
  EXPECT_EQ(read("--x--"), "");
}

TEST(FormFields, SaysWhatIsBroken) {
  EXPECT_THAT(read("--y--"), HasSubstr("its boundary is not in the body"));
  EXPECT_THAT(read("--x\r\nContent-Disposition: form-data; name=a\r\n\r\nv"), HasSubstr("cut off"));
  EXPECT_THAT(read("--x\r\nX: y\r\n\r\nv\r\n--x--"), HasSubstr("has no name"));
  EXPECT_THAT(read("--x--", "multipart/form-data"), HasSubstr("names no boundary"));
  std::string many;
  for (int i = 0; i < 1025; ++i) many += "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n";
  EXPECT_THAT(read(many + "--x--"), HasSubstr("more than 1024 parts"));
}

TEST(FormFields, ReadsUrlEncoded) {
  constexpr const char* kUrlEncoded = "Application/X-WWW-Form-Urlencoded; charset=utf-8";
  EXPECT_TRUE(is_form(kUrlEncoded));
  EXPECT_EQ(read("a=1+2&b=%26&c&&d=", kUrlEncoded), "a||1 2;b||&;c||;d||;");
  EXPECT_THAT(read("a=%2", kUrlEncoded), HasSubstr("two hexadecimal digits"));
}

TEST(FormFields, WritesWhatItReads) {
  const Fields fields = {{"a", {}, Bytes::copy_of("modelmill-form-boundary")}, {"b\"c", {}, Bytes::copy_of("")}};
  std::string type;
  const Bytes body = write_form(fields, type);
  const auto again = read_form(body, type);
  ASSERT_TRUE(again.ok()) << again.status().to_string();
  ASSERT_EQ(again->size(), 2u);
  EXPECT_EQ((*again)[0].value.view(), "modelmill-form-boundary");
  EXPECT_EQ((*again)[1].name, "b\"c");
  EXPECT_EQ((*again)[1].value.view(), "");
}

}  // namespace
}  // namespace modelmill::torchserve
