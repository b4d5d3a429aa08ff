#include "wrapper_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace modelmill::pytorch {
namespace {

constexpr std::string_view kSource = R"(
    inputs_info_[0].name = "arg2_1";
    inputs_info_[1].name = "arg3_1";
    constants_info_[0].name = "weight";
AOTI_NOINLINE static void check_input_0(
    AtenTensorHandle* input_handles
) {
    int32_t arg2_1_expected_dtype = aoti_torch_dtype_float32();
    if (arg2_1_expected_dtype != arg2_1_dtype) {
    }
    if (arg2_1_size[0] < 2) {
    }
    if (arg2_1_size[0] > 64) {
    }
    if (3 != arg2_1_size[1]) {
    }
    if (3 != arg2_1_stride[0]) {
    }
    if (1 != arg2_1_stride[1]) {
    }
}

AOTI_NOINLINE static void check_input_1(
    AtenTensorHandle* input_handles
) {
    int32_t arg3_1_expected_dtype = aoti_torch_dtype_bfloat16();
    if (1 != arg3_1_stride[0]) {
    }
}
)";

TEST(WrapperSource, TellsTypesAndSizesOfTheInputs) {
  const auto inputs = read_wrapper(kSource);
  ASSERT_TRUE(inputs.has_value());
  ASSERT_EQ(inputs->size(), 2U);
  const PackageInput& first = (*inputs)[0];
  EXPECT_EQ(first.dtype, MM_FP32);
  ASSERT_EQ(first.sizes.size(), 2U);
  EXPECT_FALSE(first.sizes[0].fixed());
  EXPECT_EQ(first.sizes[0].least, 2);
  EXPECT_EQ(first.sizes[0].most, 64);
  EXPECT_TRUE(first.sizes[1].fixed());
  EXPECT_EQ(first.sizes[1].most, 3);
  const PackageInput& second = (*inputs)[1];
  EXPECT_EQ(second.dtype, MM_BF16);
  ASSERT_EQ(second.sizes.size(), 1U);
  EXPECT_FALSE(second.sizes[0].fixed());
}

TEST(WrapperSource, WhatIsNotWhollyToldIsNotGuessed) {
  EXPECT_FALSE(read_wrapper("").has_value());
  EXPECT_FALSE(read_wrapper("inputs_info_[0].name = \"x\";").has_value());
  std::string complex(kSource);
  complex.replace(complex.find("float32"), 7, "complex64");
  EXPECT_FALSE(read_wrapper(complex).has_value());
  for (size_t size = 0; size < kSource.size(); ++size) read_wrapper(kSource.substr(0, size));
}

}  // namespace
}  // namespace modelmill::pytorch
