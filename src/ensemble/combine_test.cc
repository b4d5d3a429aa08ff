#include "ensemble/combine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
Tensor tensor(DataType dtype, Shape shape, const std::vector<T>& values) {
  const std::string bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return {"p", dtype, std::move(shape), {Bytes::copy_of(bytes)}};
}

Tensor floats(const std::vector<float>& values) {
  return tensor(DataType::kFp32, {static_cast<int64_t>(values.size())}, values);
}

Tensor strings(const std::vector<std::string>& values) {
  std::string bytes;
  for (const std::string& value : values) {
    const auto length = static_cast<uint32_t>(value.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes += value;
  }
  return {"p", DataType::kBytes, {static_cast<int64_t>(values.size())}, {Bytes::copy_of(bytes)}};
}

template <typename T>
std::vector<T> values_of(const Tensor& from) {
  const Bytes bytes = from.contiguous();
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

Result<Tensor> combined(Combiner combiner, const std::vector<Tensor>& members, std::vector<double> weights = {}) {
  std::vector<const Tensor*> pointers;
  for (const Tensor& member : members) pointers.push_back(&member);
  if (weights.empty()) weights.assign(members.size(), 1);
  return combine(combiner, "y", pointers, weights);
}

TEST(Combine, MeansAndMaxima) {
  const std::vector<Tensor> members{floats({1, 2, -3}), floats({3, 2, -9}), floats({8, 2, 0})};
  const auto mean = combined(Combiner::kAverage, members);
  ASSERT_TRUE(mean.ok());
  EXPECT_EQ(mean->name, "y");
  EXPECT_THAT(values_of<float>(*mean), ElementsAre(4, 2, -4));
  EXPECT_THAT(values_of<float>(*combined(Combiner::kMax, members)), ElementsAre(8, 2, 0));
  EXPECT_THAT(values_of<float>(*combined(Combiner::kWeighted, members, {0.5, 0.25, 0.25})),
              ElementsAre(3.25F, 2, -3.75F));
  EXPECT_THAT(values_of<float>(*combined(Combiner::kWeighted, members, {4, 2, 2})), ElementsAre(3.25F, 2, -3.75F))
      << "only their ratios count";
}

TEST(Combine, DoublesAndNotNumbers) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Tensor> members{tensor<double>(DataType::kFp64, {2}, {nan, 1}),
                                    tensor<double>(DataType::kFp64, {2}, {5, 0.5})};
  const auto most = values_of<double>(*combined(Combiner::kMax, members));
  EXPECT_TRUE(std::isnan(most[0]));
  EXPECT_EQ(most[1], 1);
  const auto turned = values_of<double>(*combined(Combiner::kMax, {members[1], members[0]}));
  EXPECT_TRUE(std::isnan(turned[0]));
  EXPECT_EQ(values_of<double>(*combined(Combiner::kAverage, members))[1], 0.75);
}

TEST(Combine, LargeAndUnalignedInPieces) {
  std::mt19937 random(7);
  std::vector<float> a(10'007), b(10'007);
  for (float& value : a) value = static_cast<float>(random() % 1000);
  for (float& value : b) value = static_cast<float>(random() % 1000);
  Tensor first = floats(a), second = floats(b);
  // The same bytes in two pieces, of which neither begins where a float may.
  const Bytes whole = Bytes::copy_of(" " + std::string(second.data[0].view()));
  second.data = {whole.slice(1, 5), whole.slice(6, whole.size() - 6)};
  Tensor odd = first;
  const Bytes shifted = Bytes::copy_of(" " + std::string(first.data[0].view()));
  odd.data = {shifted.slice(1, shifted.size() - 1)};
  const auto mean = values_of<float>(*combined(Combiner::kAverage, {odd, second}));
  ASSERT_EQ(mean.size(), a.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_FLOAT_EQ(mean[i], (a[i] + b[i]) / 2) << i;
}

TEST(Combine, MajorityOfNumbers) {
  const auto ints = [](const std::vector<int32_t>& values) { return tensor(DataType::kInt32, {4}, values); };
  const std::vector<Tensor> members{ints({1, 5, 7, -1}), ints({2, 5, 8, -1}), ints({2, 6, 9, -1})};
  EXPECT_THAT(values_of<int32_t>(*combined(Combiner::kMajority, members)), ElementsAre(2, 5, 7, -1))
      << "of labels that are said as often the first member's counts";
  EXPECT_THAT(values_of<int32_t>(*combined(Combiner::kMajority, members, {3, 1, 1})), ElementsAre(1, 5, 7, -1));
  const std::vector<Tensor> small{tensor<uint8_t>(DataType::kBool, {1}, {1}),
                                  tensor<uint8_t>(DataType::kBool, {1}, {0}),
                                  tensor<uint8_t>(DataType::kBool, {1}, {0})};
  EXPECT_THAT(values_of<uint8_t>(*combined(Combiner::kMajority, small)), ElementsAre(0));
}

TEST(Combine, MajorityOfStrings) {
  const auto chosen =
      combined(Combiner::kMajority, {strings({"cat", ""}), strings({"dog", "a"}), strings({"dog", ""})});
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(chosen->contiguous().view(), strings({"dog", ""}).contiguous().view());
  Tensor broken = strings({"cat"});
  broken.shape = {2};
  EXPECT_THAT(combined(Combiner::kMajority, {broken, broken}).status().message(), HasSubstr("fewer strings"));
}

TEST(Combine, RefusesWhatDiffers) {
  const auto result = combined(Combiner::kAverage, {floats({1, 2}), floats({1, 2, 3})});
  EXPECT_EQ(result.status().code(), Code::kInvalidArgument);
  EXPECT_THAT(result.status().message(), HasSubstr("members gave FP32 [2] and FP32 [3]"));
}

TEST(LargestClass, TakesTheFirstOfEquals) {
  const Tensor p = tensor<float>(DataType::kFp32, {3, 3}, {0.1F, 0.8F, 0.1F, 0.4F, 0.2F, 0.4F, 0, 0, 1});
  const Tensor label = largest_class("label", p);
  EXPECT_EQ(label.dtype, DataType::kInt64);
  EXPECT_THAT(label.shape, ElementsAre(3));
  EXPECT_THAT(values_of<int64_t>(label), ElementsAre(1, 0, 2));
}

}  // namespace
}  // namespace modelmill
