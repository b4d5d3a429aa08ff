#include "wire/http_text.h"

#include <gtest/gtest.h>

namespace modelmill::wire {
namespace {

size_t before(std::vector<std::pair<std::string, std::string>> headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  return bytes_before_tensors(request);
}

TEST(BytesBeforeTensors, AreTheJsonsAsAHeaderOrTheMediaTypeSays) {
  EXPECT_EQ(before({}), 0U);
  EXPECT_EQ(before({{"content-type", "application/json"}}), 0U);
  EXPECT_EQ(before({{"inference-header-content-length", "12"}}), 12U);
  const std::string type = "application/vnd.sagemaker-triton.binary+json;json-header-size=";
  EXPECT_EQ(before({{"content-type", type + "34"}}), 34U);
  EXPECT_EQ(before({{"content-type", type + "34"}, {"inference-header-content-length", "12"}}), 12U);
  for (const char* wrong : {"", "x", "-1", "99999999999999999999999"})
    EXPECT_EQ(before({{"content-type", type + wrong}}), 0U);
}

}  // namespace
}  // namespace modelmill::wire
