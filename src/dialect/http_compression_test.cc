#include "dialect/http_compression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

std::string packed(const std::string& text, std::string_view coding) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, coding == "gzip" ? 15 + 16 : 15, 8, Z_DEFAULT_STRATEGY);
  std::string all(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(all.data());
  stream.avail_out = static_cast<uInt>(all.size());
  deflate(&stream, Z_FINISH);
  all.resize(stream.total_out);
  deflateEnd(&stream);
  return all;
}

TEST(HttpCompression, ABombIsRefusedAtTheLimit) {
  MetricRegistry metrics;
  const InflateLimit limit{1'000'000, metrics.counter("refused", "", {})};
  for (const std::string_view coding : {"gzip", "deflate"}) {
    const std::string bomb = packed(std::string(8'000'000, 'x'), coding);
    ASSERT_LT(bomb.size(), 100'000u);
    const Result<Bytes> inflated = decode_body(Bytes::copy_of(bomb), coding, limit);
    EXPECT_EQ(inflated.status().code(), Code::kResourceExhausted);
    EXPECT_THAT(inflated.status().message(), HasSubstr("limit of 1000000 bytes (--max-inflated-bytes)"));
  }
  EXPECT_EQ(limit.refused->value(), 2);
}

TEST(HttpCompression, ExactlyTheLimitPasses) {
  for (const size_t size : {0u, 1u, 4096u, 100'000u}) {
    const std::string text(size, 'x');
    const std::string bytes = packed(text, "gzip");
    EXPECT_EQ(decode_body(Bytes::copy_of(bytes), "gzip", {size})->view(), text);
    if (size > 0) {
      EXPECT_FALSE(decode_body(Bytes::copy_of(bytes), "gzip", {size - 1}).ok());
    }
    EXPECT_EQ(decode_body(Bytes::copy_of(bytes.substr(0, bytes.size() / 2)), "gzip", {size}).status().code(),
              Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace modelmill
