#include "backend/string_tensor.h"

#include <gtest/gtest.h>

#include "backend/testing/harness.h"

namespace modelmill {
namespace {

TEST(StringTensor, ThereAndBack) {
  const Tensor tensor = testing::strings("s", {"", "one", std::string("\0\n", 2), ""});
  auto decoded = decode_strings(tensor);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->offsets, (std::vector<uint64_t>{0, 0, 3, 5, 5}));
  EXPECT_EQ(decoded->bytes.view(), std::string_view("one\0\n", 5));
  auto encoded = encode_strings(decoded->offsets, decoded->bytes.data());
  ASSERT_TRUE(encoded.ok());
  EXPECT_EQ(encoded->view(), tensor.contiguous().view());
}

TEST(StringTensor, ASliceOfAllOffsets) {
  const std::vector<uint64_t> offsets{3, 5};
  auto encoded = encode_strings(offsets, "abcde");
  ASSERT_TRUE(encoded.ok());
  EXPECT_EQ(encoded->view(), std::string_view("\2\0\0\0de", 6));
}

TEST(StringTensor, BadDataIsAnError) {
  Tensor tensor = testing::strings("s", {"abc"});
  tensor.shape = {2};
  EXPECT_FALSE(decode_strings(tensor).ok());
  tensor.shape = {1};
  tensor.data[0] = tensor.data[0].slice(0, 3);
  EXPECT_FALSE(decode_strings(tensor).ok());
  EXPECT_FALSE(encode_strings(std::vector<uint64_t>{0, 4, 3}, "abcd").ok());
  EXPECT_FALSE(encode_strings(std::vector<uint64_t>{0, uint64_t{1} << 33}, "abcd").ok());
}

}  // namespace
}  // namespace modelmill
