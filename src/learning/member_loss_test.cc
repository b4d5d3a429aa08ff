#include "learning/member_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace modelmill {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
MemberAnswers answers_of(DataType dtype, Shape shape, const std::vector<std::vector<T>>& members) {
  MemberAnswers out;
  out.dtype = dtype;
  out.shape = std::move(shape);
  for (const std::vector<T>& values : members) {
    out.took_part.push_back(out.took_part.size());
    out.data.emplace_back(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  return out;
}

Label whole(std::vector<int64_t> values) { return {values.begin(), values.end()}; }

TEST(MemberLossTest, BrierIsHalfTheSquaredDistance) {
  const auto answers = answers_of<float>(DataType::kFp32, {2, 2}, {{1, 0, 0, 1}, {0, 1, 0, 1}, {0.5, 0.5, 0.5, 0.5}});
  const LossRule rule{Combiner::kSoftVote, MemberLoss::kBrier, 1};
  const auto losses = member_losses(answers, whole({0, 1}), rule);
  ASSERT_TRUE(losses.ok()) << losses.status().to_string();
  EXPECT_THAT(*losses, ElementsAre(0, 0.5, 0.25));
  const auto zero_one = member_losses(answers, whole({0, 1}), {Combiner::kSoftVote, MemberLoss::kZeroOne, 1});
  EXPECT_THAT(*zero_one, ElementsAre(0, 0.5, 0.5)) << "of equals the first class counts";
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto broken = answers_of<float>(DataType::kFp32, {1, 2}, {{nan, nan}, {nan, 0.5}, {0.5, nan}, {0.6, 0.4}});
  for (const MemberLoss loss : {MemberLoss::kZeroOne, MemberLoss::kBrier}) {
    const auto charged = member_losses(broken, whole({0}), {Combiner::kSoftVote, loss, 1});
    EXPECT_THAT(*charged, ElementsAre(1, 1, 1, ::testing::Lt(0.2))) << "one that gives NaN is never right";
  }
}

TEST(MemberLossTest, DistancesAreOfTheRangeAndNoMoreThanOne) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto answers = answers_of<float>(DataType::kFp32, {1}, {{3}, {4}, {100}, {nan}});
  const Label label{2.0};
  const auto absolute = member_losses(answers, label, {Combiner::kWeighted, MemberLoss::kAbsolute, 4});
  EXPECT_THAT(*absolute, ElementsAre(DoubleNear(0.25, 1e-9), DoubleNear(0.5, 1e-9), 1, 1));
  const auto squared = member_losses(answers, label, {Combiner::kWeighted, MemberLoss::kSquared, 4});
  EXPECT_THAT(*squared, ElementsAre(DoubleNear(0.0625, 1e-9), DoubleNear(0.25, 1e-9), 1, 1));
}

TEST(MemberLossTest, LabelsOfEveryTypeAreCompared) {
  const LossRule rule{Combiner::kMajority, MemberLoss::kZeroOne, 1};
  EXPECT_THAT(*member_losses(answers_of<int64_t>(DataType::kInt64, {2}, {{1, -2}, {1, 2}}), whole({1, -2}), rule),
              ElementsAre(0, 0.5));
  EXPECT_THAT(*member_losses(answers_of<uint8_t>(DataType::kBool, {1}, {{1}, {0}}), whole({1}), rule),
              ElementsAre(0, 1));
  EXPECT_THAT(*member_losses(answers_of<int16_t>(DataType::kInt16, {1}, {{-5}, {5}}), {-5.0}, rule), ElementsAre(0, 1));
  const uint64_t large = ~uint64_t{0};
  EXPECT_THAT(
      *member_losses(answers_of<uint64_t>(DataType::kUint64, {1}, {{large}, {1}}), {static_cast<int64_t>(large)}, rule),
      ElementsAre(0, 1));
  MemberAnswers texts;
  texts.dtype = DataType::kBytes;
  texts.shape = {2};
  texts.data = {std::string("\2\0\0\0ab\1\0\0\0c", 11), std::string("\2\0\0\0ab\1\0\0\0d", 11)};
  EXPECT_THAT(*member_losses(texts, {std::string("ab"), std::string("c")}, rule), ElementsAre(0, 0.5));
  texts.data[1].resize(8);
  EXPECT_FALSE(member_losses(texts, {std::string("ab"), std::string("c")}, rule).ok());
}

TEST(MemberLossTest, TellsWhatDoesNotSuit) {
  const auto votes = answers_of<int64_t>(DataType::kInt64, {2}, {{1, 2}});
  const LossRule majority{Combiner::kMajority, MemberLoss::kZeroOne, 1};
  EXPECT_THAT(member_losses(votes, whole({1}), majority).status().message(),
              HasSubstr("'label' has 1 elements, and the answer has 2 elements"));
  EXPECT_THAT(member_losses(votes, {std::string("a"), 1.0}, majority).status().message(),
              HasSubstr("must be whole numbers"));
  EXPECT_THAT(member_losses(votes, {1.5, 1.0}, majority).status().message(), HasSubstr("must be whole numbers"));
  // Types that another combiner's answers have.
  const auto halves = answers_of<float>(DataType::kFp32, {1}, {{1}});
  EXPECT_EQ(member_losses(halves, whole({1}), majority).status().code(), Code::kFailedPrecondition);
  const auto bytes = answers_of<int8_t>(DataType::kInt8, {1, 2}, {{1, 2}});
  MemberAnswers texts = bytes;
  texts.dtype = DataType::kBytes;
  for (const MemberAnswers& answers : {bytes, texts, votes}) {
    for (const Combiner combiner : {Combiner::kWeighted, Combiner::kSoftVote}) {
      const auto losses = member_losses(answers, whole({0, 0}), {combiner, default_loss(combiner), 1});
      EXPECT_THAT(losses.status().message(), HasSubstr("another configuration")) << combiner_name(combiner);
    }
  }
  const auto classes = answers_of<float>(DataType::kFp32, {1, 3}, {{1, 0, 0}});
  const LossRule vote{Combiner::kSoftVote, MemberLoss::kBrier, 1};
  EXPECT_THAT(member_losses(classes, whole({3}), vote).status().message(), HasSubstr("from 0 to 2"));
  EXPECT_THAT(member_losses(classes, whole({-1}), vote).status().message(), HasSubstr("from 0 to 2"));
  EXPECT_THAT(member_losses(classes, whole({1, 1}), vote).status().message(), HasSubstr("has 1 rows"));
}

}  // namespace
}  // namespace modelmill
